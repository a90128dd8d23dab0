#version 450
// Rows of floats as halves, for products by matrices: eight columns a thread; zeros beyond the last.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 64) in;
layout(binding = 1, std430) readonly buffer X { float x[]; };
layout(binding = 2, std430) writeonly buffer Y { uvec4 y[]; };
layout(push_constant) uniform Push { Rows from; uint width, stride, domain; };

void main() {
  uint row = gl_WorkGroupID.y, column = 8 * gl_GlobalInvocationID.x;
  if (row >= countOf(domain) || column >= stride) return;
  float v[8];
  for (uint i = 0; i < 8; i++) v[i] = column + i < width ? x[from.at + row * from.stride + column + i] : 0.0;
  y[(row * stride + column) / 8] = uvec4(packHalf2x16(vec2(v[0], v[1])), packHalf2x16(vec2(v[2], v[3])), packHalf2x16(vec2(v[4], v[5])), packHalf2x16(vec2(v[6], v[7])));
}
