// Weights in their forms (Runtime/Device/WeightForm.cs): sixteen values of a row, decoded in float32.
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_8bit_storage : require
#extension GL_EXT_control_flow_attributes : require

layout(constant_id = 1) const uint FORM = 0;        // FormNumber.cs
layout(constant_id = 2) const uint WIDE = 0;        // whether all rows of floats are read sixteen bytes at a time

const uint F32 = 0, F16 = 1, BF16 = 2, Q8_0 = 3, EXPANDED = 4, Q4_0 = 5, Q4_1 = 6, Q5_0 = 7, Q5_1 = 8, IQ4_NL = 9, IQ4_XS = 10, Q2_K = 11, Q3_K = 12, Q4_K = 13, Q5_K = 14, Q6_K = 15;

const bool OFFSETS = FORM == Q4_1 || FORM == Q5_1 || FORM == Q2_K || FORM == Q4_K || FORM == Q5_K;   // forms whose values have one beside their scale

#ifdef TEXELS
// As texels a processor brings what the threads of a subgroup read together, and of storage buffers value by value (Mesa's llvmpipe).
layout(binding = 13) uniform utextureBuffer Words;
layout(binding = 14) uniform utextureBuffer Quads;
layout(binding = 15) uniform utextureBuffer Scales;
uint w32(uint i) { return texelFetch(Words, int(i)).x; }
uvec4 w128(uint i) { return texelFetch(Quads, int(i)); }
uint w16(uint i) { return w32(i >> 1) >> 16 * (i & 1) & 0xffff; }
uint w8(uint i) { return w32(i >> 2) >> 8 * (i & 3) & 0xff; }
float s32(uint i) { return uintBitsToFloat(texelFetch(Scales, int(i)).x); }
uint s16(uint i) { return texelFetch(Scales, int(i >> 1)).x >> 16 * (i & 1) & 0xffff; }
#else
layout(binding = 1, std430) readonly buffer Bytes { uint8_t bytesOfW[]; };
layout(binding = 1, std430) readonly buffer Shorts { uint16_t shortsOfW[]; };
layout(binding = 1, std430) readonly buffer Words { uint wordsOfW[]; };
layout(binding = 1, std430) readonly buffer Quads { uvec4 quadsOfWeights[]; };
layout(binding = 2, std430) readonly buffer ShortScales { uint16_t shortScales[]; };
layout(binding = 2, std430) readonly buffer FloatScales { float floatScales[]; };
#define w8(i) bytesOfW[i]
#define w16(i) shortsOfW[i]
#define w32(i) wordsOfW[i]
#define w128(i) quadsOfWeights[i]
#define s16(i) shortScales[i]
#define s32(i) floatScales[i]
#endif

struct Weights { uint rowBytes, rowScaleBytes, columns, first, count; };   // the rows bound, and the number of the first of them

float half1(uint bits) { return unpackHalf2x16(bits).x; }
float bfloat(uint bits) { return uintBitsToFloat(bits << 16); }

void halves8(uvec4 q, uint at, inout float v[16]) {
  for (uint i = 0; i < 4; i++) {
    vec2 pair = FORM == F16 ? unpackHalf2x16(q[i]) : vec2(uintBitsToFloat(q[i] << 16), uintBitsToFloat(q[i] & 0xffff0000u));
    v[at + 2 * i] = pair.x;
    v[at + 2 * i + 1] = pair.y;
  }
}

uint byteAt(uint at) { return uint(w8(at)); }
uint shortAt(uint at) { return uint(w16(at >> 1)); }
float halfAt(uint at) { return half1(shortAt(at)); }
uint wordAt(uint at) { return w32(at >> 2); }
uint evenWordAt(uint at) { return shortAt(at) | shortAt(at + 2) << 16; }   // of blocks whose bytes are no multiple of four

// Bytes minus a byte each, without a borrow between them: none is below the range of a signed byte then.
uint minus(uint bytes, uint less) { return ((bytes | 0x80808080u) - less) ^ 0x80808080u; }
uvec4 minus(uvec4 bytes, uint less) { return ((bytes | 0x80808080u) - less) ^ 0x80808080u; }

// Bits 0 to 3 at bit 4 of the four bytes.
uint fifthBits(uint v) { return (v & 1) << 4 | (v & 2) << 11 | (v & 4) << 18 | (v & 8) << 25; }

// The sixteen levels of IQ4_NL and IQ4_XS, four a word.
uint level(uint nibble) {
  uint word = nibble < 4 ? 0xbfad9881u : nibble < 8 ? 0xf6eaddcfu : nibble < 12 ? 0x26190d01u : 0x71594535u;
  return word >> (nibble & 3) * 8 & 255;
}
uint levels(uint four) { return level(four & 15) | level(four >> 8 & 15) << 8 | level(four >> 16 & 15) << 16 | level(four >> 24 & 15) << 24; }

// Sixteen values of a row in blocks: value k = scale * (signed byte k of q) + offset, in the order of operations that Formats/Quantization defines.
struct Sixteen { uvec4 q; float scale, offset; };

// Q4_0, Q4_1, Q5_0, Q5_1, IQ4_NL: blocks of 32, whose first sixteen are the low halves of bytes and the others the high ones.
Sixteen blockOf32(uint block, uint half_) {
  Sixteen s;
  bool added = FORM == Q4_1 || FORM == Q5_1, fives = FORM == Q5_0 || FORM == Q5_1;
  s.scale = halfAt(block);
  s.offset = added ? halfAt(block + 2) : 0.0;
  uint next = block + (added ? 4 : 2), high = fives ? evenWordAt(next) >> 16 * half_ : 0;
  if (fives) next += 4;
  for (uint i = 0; i < 4; i++) {
    uint q = (added ? wordAt(next + 4 * i) : evenWordAt(next + 4 * i)) >> 4 * half_ & 0x0f0f0f0fu;
    if (fives) q |= fifthBits(high >> 4 * i & 15);
    s.q[i] = FORM == Q4_0 ? minus(q, 0x08080808u) : FORM == Q5_0 ? minus(q, 0x10101010u) : FORM == IQ4_NL ? levels(q) : q;
  }
  return s;
}

// Scale and minimum of group i of Q4_K and Q5_K, six bits each, of the twelve bytes of scales.
uvec2 sixBits(uvec3 scales, uint i) {
  uvec3 own = scales >> 8 * (i & 3) & 255u;
  return i < 4 ? own.xy & 63u : uvec2(own.z & 15 | own.x >> 6 << 4, own.z >> 4 | own.y >> 6 << 4);
}

// Blocks of Q4_K, Q5_K and Q6_K are multiples of sixteen bytes, and so are their parts.
Sixteen q4kOrQ5k(uint block, uint i, uint part) {
  Sixteen s;
  uvec4 head = w128(block >> 4);
  uvec2 six = sixBits(head.yzw, i);
  vec2 both = unpackHalf2x16(head.x);
  precise float scale = both.x * float(six.x), least = both.y * float(six.y);
  s.scale = scale;
  s.offset = -least;
  uint low = block + (FORM == Q5_K ? 48 : 16) + 32 * (i >> 1) + 16 * part, high = block + 16 + 16 * part;
  s.q = w128(low >> 4) >> 4 * (i & 1) & 0x0f0f0f0fu;
  if (FORM == Q5_K) s.q |= (w128(high >> 4) >> i & 0x01010101u) << 4;
  return s;
}

Sixteen q6k(uint block, uint i, uint part) {
  Sixteen s;
  uint n = i >> 2, j = i & 3, low = block + 64 * n + 32 * (j & 1) + 16 * part, high = block + 128 + 32 * n + 16 * part;
  s.q = minus(w128(low >> 4) >> 4 * (j >> 1) & 0x0f0f0f0fu | (w128(high >> 4) >> 2 * j & 0x03030303u) << 4, 0x20202020u);
  precise float scale = halfAt(block + 208) * float(bitfieldExtract(int(byteAt(block + 192 + 2 * i + part)), 0, 8));
  s.scale = scale;
  s.offset = 0.0;
  return s;
}

Sixteen q2k(uint block, uint i, uint part) {
  Sixteen s;
  uint q = block + 16 + 32 * (i >> 2) + 16 * part, both = byteAt(block + 2 * i + part);
  for (uint k = 0; k < 4; k++) s.q[k] = wordAt(q + 4 * k) >> 2 * (i & 3) & 0x03030303u;
  precise float scale = halfAt(block + 80) * float(both & 15), least = halfAt(block + 82) * float(both >> 4);
  s.scale = scale;
  s.offset = -least;
  return s;
}

Sixteen q3k(uint block, uint i, uint part) {
  Sixteen s;
  uint q = block + 32 + 32 * (i >> 2) + 16 * part, high = block + 16 * part, n = 2 * i + part;
  for (uint k = 0; k < 4; k++)
    s.q[k] = minus(evenWordAt(q + 4 * k) >> 2 * (i & 3) & 0x03030303u | (evenWordAt(high + 4 * k) >> i & 0x01010101u) << 2, 0x04040404u);
  int six = int(byteAt(block + 96 + (n & 7)) >> 4 * (n >> 3) & 15 | (byteAt(block + 104 + (n & 3)) >> 2 * (n >> 2) & 3) << 4) - 32;
  precise float scale = halfAt(block + 108) * float(six);
  s.scale = scale;
  s.offset = 0.0;
  return s;
}

Sixteen iq4xs(uint block, uint i, uint part) {
  Sixteen s;
  int six = int(byteAt(block + 4 + (i >> 1)) >> 4 * (i & 1) & 15 | (shortAt(block + 2) >> 2 * i & 3) << 4) - 32;
  precise float scale = halfAt(block) * float(six);
  s.scale = scale;
  s.offset = 0.0;
  for (uint k = 0; k < 4; k++) s.q[k] = levels(wordAt(block + 8 + 16 * i + 4 * k) >> 4 * part & 0x0f0f0f0fu);
  return s;
}

// Sixteen values of a row in blocks, from column 16 * group on.
Sixteen sixteen(Weights weights, uint row, uint group) {
  uint at = row * weights.rowBytes, block = group >> 4, i = group >> 1 & 7, part = group & 1;   // of blocks of 256
  if (FORM == Q8_0 || FORM == EXPANDED) {
    Sixteen s;
    s.q = w128((at >> 4) + group);
    s.scale = FORM == Q8_0 ? half1(uint(s16(row * (weights.columns >> 5) + (group >> 1)))) : s32(row * (weights.columns >> 4) + group);
    s.offset = 0.0;
    return s;
  }
  switch (FORM) {
    case Q4_0: case IQ4_NL: return blockOf32(at + (group >> 1) * 18, part);
    case Q4_1: return blockOf32(at + (group >> 1) * 20, part);
    case Q5_0: return blockOf32(at + (group >> 1) * 22, part);
    case Q5_1: return blockOf32(at + (group >> 1) * 24, part);
    case IQ4_XS: return iq4xs(at + block * 136, i, part);
    case Q2_K: return q2k(at + block * 84, i, part);
    case Q3_K: return q3k(at + block * 110, i, part);
    case Q6_K: return q6k(at + block * 224, i, part);
    default: return q4kOrQ5k(at + block * (FORM == Q4_K ? 144 : 176), i, part);
  }
}

// A signed byte as a float: plus 2^23 + 128 it is a mantissa, which takes fewer instructions than to convert it.
float signedByte(uint biased, uint k) { return uintBitsToFloat(biased >> 8 * k & 255u | 0x4b000000u) - 8388736.0; }

// The values of sixteen.
void spread(Sixteen s, out float v[16]) {
  [[unroll]] for (uint k = 0; k < 16; k++) {
    precise float value = s.scale * signedByte(s.q[k >> 2] ^ 0x80808080u, k & 3);
    if (OFFSETS) value = value + s.offset;
    v[k] = value;
  }
}

// Sixteen values of a row of floats; zeros beyond its end.
void floats16(Weights weights, uint row, uint group, out float v[16]) {
  if (FORM == F32 && WIDE != 0) {
    uint at = (row * weights.rowBytes >> 4) + 4 * group;
    for (uint i = 0; i < 4; i++) {
      vec4 f = uintBitsToFloat(w128(at + i));
      for (uint k = 0; k < 4; k++) v[4 * i + k] = f[k];
    }
  } else if (WIDE != 0) {
    uint at = (row * weights.rowBytes >> 4) + 2 * group;
    halves8(w128(at), 0, v);
    halves8(w128(at + 1), 8, v);
  } else {
    uint first = row * weights.columns;
    for (uint i = 0; i < 16; i++) {
      uint column = 16 * group + i;
      v[i] = column >= weights.columns ? 0.0 : FORM == F32 ? uintBitsToFloat(w32(first + column))
        : FORM == F16 ? half1(uint(w16(first + column))) : bfloat(uint(w16(first + column)));
    }
  }
}

// Values 16 * group and on of a row; zeros beyond its end.
void decode16(Weights weights, uint row, uint group, out float v[16]) {
  if (FORM > BF16) spread(sixteen(weights, row, group), v);
  else floats16(weights, row, group, v);
}
