#version 450
// variants: subgroups
// A product of few rows of x: LANES threads, or a subgroup, share a row of W, each taking every so many sixteens of its columns.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifdef SUBGROUPS
#extension GL_KHR_shader_subgroup_arithmetic : require
#endif
#include "common.glsl"
#include "product.glsl"

const uint THREADS = 128, ROWS = 8, LANES = THREADS / ROWS;
layout(local_size_x = THREADS) in;

// The product of one row of W, bound as the row-th, with the workgroup's rows of x: this thread's part of it.
void partOf(uint row, uint lane, uint lanes, uint firstToken, uint tokens, out float sums[TOKENS]) {
  for (uint t = 0; t < TOKENS; t++) sums[t] = 0.0;
  uint groups = (w.columns + 15) / 16;
  for (uint group = lane; group < groups; group += lanes) {
    float v[16];
    decode16(w, row, group, v);
    [[unroll]] for (uint t = 0; t < TOKENS; t++) {
      uint at = from.at + min(firstToken + t, tokens - 1) * from.stride + 16 * group;
      if (WIDE_X != 0) {
        for (uint i = 0; i < 4; i++) {
          vec4 f = x4[at / 4 + i];
          sums[t] += v[4 * i] * f.x + v[4 * i + 1] * f.y + v[4 * i + 2] * f.z + v[4 * i + 3] * f.w;
        }
      } else {
        uint count = min(16, w.columns - 16 * group);
        for (uint i = 0; i < 16; i++)
          if (i < count) sums[t] += v[i] * x[at + i];
      }
    }
  }
}

#ifndef SUBGROUPS
shared float parts[TOKENS * THREADS];
#endif

void main() {
  uint firstToken = gl_WorkGroupID.y * TOKENS, firstRow = gl_WorkGroupID.x * ROWS, tokens = countOf(domain);
  if (firstToken >= tokens) return;
  float sums[TOKENS];
#ifdef SUBGROUPS
  for (uint row = firstRow + gl_SubgroupID; row < min(firstRow + ROWS, w.count); row += gl_NumSubgroups) {
    partOf(row, gl_SubgroupInvocationID, gl_SubgroupSize, firstToken, tokens, sums);
    for (uint t = 0; t < TOKENS; t++) {
      float sum = subgroupAdd(sums[t]);
      if (subgroupElect()) store(row, firstToken + t, tokens, sum);
    }
  }
#else
  uint id = gl_LocalInvocationID.x;
  if (firstRow + id / LANES < w.count) {
    partOf(firstRow + id / LANES, id % LANES, LANES, firstToken, tokens, sums);
    for (uint t = 0; t < TOKENS; t++) parts[t * THREADS + id] = sums[t];
  }
  barrier();
  for (uint i = id; i < ROWS * TOKENS; i += THREADS) {
    uint row = i % ROWS, t = i / ROWS;
    float sum = 0.0;
    for (uint k = 0; k < LANES; k++) sum += parts[t * THREADS + row * LANES + k];
    store(firstRow + row, firstToken + t, tokens, sum);
  }
#endif
}
