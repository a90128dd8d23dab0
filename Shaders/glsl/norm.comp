#version 450
// Root-mean-square norm of a row, or of one group of its columns; gated, of x * silu(z). A workgroup takes a row and group.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "halves.glsl"

layout(constant_id = 1) const uint GATED = 0;
layout(constant_id = 2) const uint WEIGHTED = 1;
layout(constant_id = 3) const uint YIELDS = AsFloats;

const uint THREADS = 128, PARTS = 8;
layout(local_size_x = THREADS) in;
layout(binding = 1, std430) readonly buffer X { float x[]; };
layout(binding = 2, std430) readonly buffer Z { float z[]; };
layout(binding = 3, std430) readonly buffer Weight { float weight[]; };
layout(binding = 4, std430) writeonly buffer Y { float y[]; };
layout(binding = 5, std430) writeonly buffer Halves { uint16_t halves[]; };
layout(push_constant) uniform Push { Rows from, gate, to; uint width, domain, halvesStride; float epsilon; };

shared float squares[THREADS];
shared float sums[PARTS];

float value(uint row, uint column) {
  float v = x[from.at + row * from.stride + column];
  return GATED != 0 ? v * silu(z[gate.at + row * gate.stride + column]) : v;
}

void main() {
  uint row = gl_WorkGroupID.x, first = gl_WorkGroupID.y * width, id = gl_LocalInvocationID.x;
  if (row >= countOf(domain)) return;
  float sum = 0.0;
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
  float scale = 1.0 / sqrt(sum / float(width) + epsilon);
  for (uint i = id; i < width; i += THREADS) {
    float v = value(row, first + i) * scale * (WEIGHTED != 0 ? weight[first + i] : 1.0);
    if (YIELDS != AsHalves) y[to.at + row * to.stride + first + i] = v;
    if (YIELDS != AsFloats) halves[row * halvesStride + first + i] = uint16_t(halfOf(v));
  }
}
