#version 450
// Root-mean-square norm of a row, or of one group of its columns; gated, of x * silu(z). A workgroup takes a row and group.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"
#include "halves.glsl"

layout(constant_id = 1) const uint GATED = 0;
layout(constant_id = 2) const uint WEIGHTED = 1;
layout(constant_id = 3) const uint YIELDS = AsFloats;
layout(constant_id = 4) const uint HELD = 0;   // values of a thread, which it keeps and asks for all at once; 0 where a row has too many, which is then read twice
layout(constant_id = 5) const uint WIDE = 0;   // whether they are fours of neighbours, which are read and written at once

const uint THREADS = 128, PARTS = 8, FOURS = WIDE != 0 ? HELD / 4 : 1;
layout(local_size_x = THREADS) in;
layout(binding = 1, std430) readonly buffer X { float x[]; };
layout(binding = 2, std430) readonly buffer Z { float z[]; };
layout(binding = 3, std430) readonly buffer Weight { float weight[]; };
layout(binding = 4, std430) writeonly buffer Y { float y[]; };
layout(binding = 5, std430) writeonly buffer Halves { uint16_t halves[]; };
layout(binding = 1, std430) readonly buffer XOfFours { vec4 xFours[]; };
layout(binding = 2, std430) readonly buffer ZOfFours { vec4 zFours[]; };
layout(binding = 3, std430) readonly buffer WeightOfFours { vec4 weightFours[]; };
layout(binding = 4, std430) writeonly buffer YOfFours { vec4 yFours[]; };
layout(binding = 5, std430) writeonly buffer HalvesOfFours { uvec2 halvesFours[]; };
layout(push_constant) uniform Push { Rows from, gate, to; uint width, domain, halvesStride; float epsilon; };

shared float squares[THREADS];
shared float sums[PARTS];
vec4 fours[FOURS];

float value(uint row, uint column) {
  float v = x[from.at + row * from.stride + column];
  return GATED != 0 ? v * silu(z[gate.at + row * gate.stride + column]) : v;
}

void yield(uint row, uint column, float v) {
  if (WEIGHTED != 0) v *= weight[column];
  if (YIELDS != AsHalves) y[to.at + row * to.stride + column] = v;
  if (YIELDS != AsFloats) halves[row * halvesStride + column] = uint16_t(halfOf(v));
}

// Brings a thread's fours, and yields the sum of their squares.
float bringFours(uint row, uint first, uint id) {
  float sum = 0.0;
  vec4 gates[FOURS];
  [[unroll]] for (uint j = 0; j < FOURS; j++) {
    uint column = first + 4 * min(id + THREADS * j, width / 4 - 1);
    fours[j] = xFours[(from.at + row * from.stride + column) / 4];
    if (GATED != 0) gates[j] = zFours[(gate.at + row * gate.stride + column) / 4];
  }
  [[unroll]] for (uint j = 0; j < FOURS; j++) {
    if (GATED != 0) fours[j] *= vec4(silu(gates[j].x), silu(gates[j].y), silu(gates[j].z), silu(gates[j].w));
    if (id + THREADS * j < width / 4) sum += dot(fours[j], fours[j]);
  }
  return sum;
}

void yieldFours(uint row, uint first, uint id, float scale) {
  [[unroll]] for (uint j = 0; j < FOURS; j++) {
    uint four = id + THREADS * j, column = first + 4 * four;
    if (four >= width / 4) return;
    vec4 v = fours[j] * scale;
    if (WEIGHTED != 0) v *= weightFours[column / 4];
    if (YIELDS != AsHalves) yFours[(to.at + row * to.stride + column) / 4] = v;
    if (YIELDS != AsFloats) halvesFours[(row * halvesStride + column) / 4] = uvec2(packHalf2x16(v.xy), packHalf2x16(v.zw));
  }
}

void main() {
  uint row = gl_WorkGroupID.x, first = gl_WorkGroupID.y * width, id = gl_LocalInvocationID.x;
  if (row >= countOf(domain)) return;
  float sum = 0.0, held[HELD > 0 ? HELD : 1];
  if (WIDE != 0) sum = bringFours(row, first, id);
  else if (HELD > 0) {
    float gates[HELD > 0 ? HELD : 1];
    [[unroll]] for (uint j = 0; j < HELD; j++) {
      uint column = first + min(id + THREADS * j, width - 1);
      held[j] = x[from.at + row * from.stride + column];
      if (GATED != 0) gates[j] = z[gate.at + row * gate.stride + column];
    }
    [[unroll]] for (uint j = 0; j < HELD; j++) {
      if (GATED != 0) held[j] *= silu(gates[j]);
      if (id + THREADS * j < width) sum += held[j] * held[j];
    }
  } else
    for (uint i = id; i < width; i += THREADS) {
      float v = value(row, first + i);
      sum += v * v;
    }
  squares[id] = sum;
  barrier();
  if (id < PARTS) {
    sum = 0.0;
    for (uint i = 0; i < THREADS / PARTS; i++) sum += squares[id + PARTS * i];
    sums[id] = sum;
  }
  barrier();
  sum = 0.0;
  for (uint i = 0; i < PARTS; i++) sum += sums[i];
  float scale = rootReciprocal(sum / float(width) + epsilon);
  if (WIDE != 0) yieldFours(row, first, id, scale);
  else if (HELD > 0) {
    [[unroll]] for (uint j = 0; j < HELD; j++)
      if (id + THREADS * j < width) yield(row, first + id + THREADS * j, held[j] * scale);
  } else
    for (uint i = id; i < width; i += THREADS) yield(row, first + i, value(row, first + i) * scale);
}
