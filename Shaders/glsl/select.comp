#version 450
// The rows whose logits are wanted, in order.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 64) in;
layout(binding = 1, std430) readonly buffer X { float x[]; };
layout(binding = 2, std430) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { Rows from, to; uint width; };

void main() {
  uint row = gl_WorkGroupID.y, column = gl_GlobalInvocationID.x;
  if (row >= countOf(1) || column >= width) return;
  y[to.at + row * to.stride + column] = x[from.at + outputRow(row) * from.stride + column];
}
