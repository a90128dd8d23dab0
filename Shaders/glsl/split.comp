#version 450
// variants: weights
// Rows as halves for products that keep the precision of float32: each row times a power of two, so that its largest value is within 2^14 and 2^15, and then rows
// of floats as the sum of two halves, the second part behind the first; 22 bits of the largest at least. Rows of BF16 (variant weights) fit one half as they are.
// A workgroup takes a row, and notes what its results are to be multiplied by.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

const uint THREADS = 128;
layout(local_size_x = THREADS) in;
#ifdef WEIGHTS
layout(binding = 1, std430) readonly buffer W { uint w[]; };
#else
layout(binding = 1, std430) readonly buffer X { float x[]; };
#endif
layout(binding = 2, std430) writeonly buffer Y { uint y[]; };   // two columns each
layout(binding = 3, std430) writeonly buffer Powers { float powers[]; };
layout(push_constant) uniform Push { Rows from; uint width, stride, domain; };   // for weights strides are of values, too

shared float largest[THREADS];

vec2 pairAt(uint row, uint column) {
  uint at = from.at + row * from.stride + column;
#ifdef WEIGHTS
  return column < width ? vec2(uintBitsToFloat(w[at / 2] << 16), uintBitsToFloat(w[at / 2] & 0xffff0000u)) : vec2(0.0);
#else
  return vec2(column < width ? x[at] : 0.0, column + 1 < width ? x[at + 1] : 0.0);
#endif
}

// To the eleven digits of a half, by its bits: a compiler may take a value that was packed and unpacked for the value itself (NVIDIA's does).
float rounded(float v) { return uintBitsToFloat((floatBitsToUint(v) + 0x1000) & 0xffffe000u); }

void main() {
  uint row = gl_WorkGroupID.x, id = gl_LocalInvocationID.x;
#ifdef WEIGHTS
  uint columns = stride;
#else
  if (row >= countOf(domain)) return;
  uint columns = stride / 2;
#endif
  float most = 0.0;
  for (uint column = 2 * id; column < width; column += 2 * THREADS) {
    vec2 pair = abs(pairAt(row, column));
    most = max(most, max(pair.x, pair.y));
  }
  largest[id] = most;
  for (uint half_ = THREADS / 2; half_ > 0; half_ /= 2) {
    barrier();
    if (id < half_) largest[id] = max(largest[id], largest[id + half_]);
  }
  barrier();
  uint exponent = min(268 - (floatBitsToUint(largest[0]) >> 23 & 255), 253);   // neither it nor its inverse is below the normal numbers
  float power = uintBitsToFloat(exponent << 23);
  if (id == 0) powers[row] = uintBitsToFloat((254 - exponent) << 23);
  for (uint column = 2 * id; column < columns; column += 2 * THREADS) {
    vec2 pair = power * pairAt(row, column);
#ifdef WEIGHTS
    y[(row * stride + column) / 2] = packHalf2x16(pair);
#else
    vec2 first = vec2(rounded(pair.x), rounded(pair.y));
    y[(row * stride + column) / 2] = packHalf2x16(first);
    y[(row * stride + columns + column) / 2] = packHalf2x16(pair - first);
#endif
  }
}
