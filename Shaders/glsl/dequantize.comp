#version 450
// Rows of weights in blocks as halves, for products by matrices: sixteen columns a thread.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "weights.glsl"

layout(local_size_x = 64) in;
layout(binding = 3, std430) writeonly buffer Y { uvec4 y[]; };
layout(push_constant) uniform Push { Weights w; };

void main() {
  uint row = gl_WorkGroupID.y, group = gl_GlobalInvocationID.x;
  if (16 * group >= w.columns) return;
  float v[16];
  decode16(w, row, group, v);
  for (uint i = 0; i < 16; i += 8)
    y[(row * w.columns + 16 * group + i) / 8] = uvec4(packHalf2x16(vec2(v[i], v[i + 1])), packHalf2x16(vec2(v[i + 2], v[i + 3])), packHalf2x16(vec2(v[i + 4], v[i + 5])), packHalf2x16(vec2(v[i + 6], v[i + 7])));
}
