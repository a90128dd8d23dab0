#version 450
// One token a row: its row of the table. Sixteen columns a thread.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "weights.glsl"

layout(local_size_x = 64) in;
layout(binding = 3, std430) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { Weights table; Rows to; float scale; };

void main() {
  uint row = gl_WorkGroupID.y, group = gl_GlobalInvocationID.x;
  if (row >= countOf(0) || 16 * group >= table.columns) return;
  uint token = tokenOf(row) - table.first;   // of another part of the table, which is larger than a binding, where it is not below count
  if (token >= table.count) return;
  float v[16];
  decode16(table, token, group, v);
  for (uint i = 0; i < 16; i++)
    if (16 * group + i < table.columns) y[to.at + row * to.stride + 16 * group + i] = v[i] * scale;
}
