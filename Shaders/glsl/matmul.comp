#version 450
// A product of many rows of x, by tiles of 64 rows of W and 32 of x: 32 columns of both at a time are brought to shared memory, W decoded once for all
// rows of the tile; a thread keeps 4 x 4 sums.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "product.glsl"

const uint THREADS = 128, OUTPUTS = 64, ROWS = 32, STEP = 32, ACROSS = OUTPUTS / 4;
const uint W_STRIDE = OUTPUTS / 4 + 1, X_STRIDE = ROWS / 4 + 1;   // one more, so that columns fall to different banks
layout(local_size_x = THREADS) in;

shared vec4 ws[STEP * W_STRIDE];   // of each column four rows together
shared vec4 xs[STEP * X_STRIDE];

void bringWeights(uint id, uint firstRow, uint group) {
  uint row = id / 2, part = id % 2;
  float v[16];
  if (16 * (group + part) < w.columns) decode16(w, min(firstRow + row, w.count - 1), group + part, v);
  else for (uint k = 0; k < 16; k++) v[k] = 0.0;
  for (uint k = 0; k < 16; k++) ws[(16 * part + k) * W_STRIDE + row / 4][row % 4] = v[k];
}

void bringRows(uint id, uint token, uint tokens, uint group) {
  uint first = 16 * group + id % 4 * 8, at = from.at + min(token, tokens - 1) * from.stride + first, to = id % 4 * 8;
  for (uint k = 0; k < 8; k += 4) {
    vec4 v = vec4(0.0);
    if (WIDE_X != 0) {
      if (first + k < w.columns) v = x4[(at + k) / 4];
    } else
      for (uint i = 0; i < 4; i++)
        if (first + k + i < w.columns) v[i] = x[at + k + i];
    for (uint i = 0; i < 4; i++) xs[(to + k + i) * X_STRIDE + id / 16][id / 4 % 4] = v[i];
  }
}

void main() {
  uint id = gl_LocalInvocationID.x, firstToken = gl_WorkGroupID.y * ROWS, firstRow = gl_WorkGroupID.x * OUTPUTS, tokens = countOf(domain);
  if (firstToken >= tokens) return;
  vec4 sums[4] = vec4[4](vec4(0.0), vec4(0.0), vec4(0.0), vec4(0.0));
  uint across = id % ACROSS, down = id / ACROSS;
  for (uint group = 0; 16 * group < w.columns; group += STEP / 16) {
    bringWeights(id, firstRow, group);
    bringRows(id, firstToken + id / 4, tokens, group);
    barrier();
    for (uint k = 0; k < STEP; k++) {
      vec4 a = ws[k * W_STRIDE + across], b = xs[k * X_STRIDE + down];
      for (uint t = 0; t < 4; t++) sums[t] += a * b[t];
    }
    barrier();
  }
  for (uint t = 0; t < 4; t++)
    for (uint i = 0; i < 4; i++) store(firstRow + 4 * across + i, firstToken + 4 * down + t, tokens, sums[t][i]);
}
