#version 450
// A product of few rows of x where a processor does what a device does (few.glsl): a thread takes units of ROWS rows of W, one row after the other, beside the same
// values of x, which stay in registers. Nothing lies in shared memory but partial sums, as it is read value by value there; weights and x come as texels.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define SUBGROUPS
#define TEXELS
#include "common.glsl"
#include "few.glsl"

layout(binding = 16) uniform utextureBuffer TexelsOfX;
layout(binding = 17) uniform utextureBuffer TexelsOfNorm;

vec4 quadOfX(uint at) { return uintBitsToFloat(texelFetch(TexelsOfX, int(at / 4))); }

// Four columns of a row of x, normed but for the mean; zeros beyond its end.
vec4 columnsOfX(uint row, uint column) {
  vec4 f = vec4(0.0);
  if (column >= COLUMNS) return f;
  if (WIDE_X != 0) f = quadOfX(row + column);
  else
    [[unroll]] for (uint i = 0; i < 4; i++)
      if (column + i < COLUMNS) f[i] = quadOfX(row + column + i)[(row + column + i) % 4];
  return INPUT == Normed ? f * uintBitsToFloat(texelFetch(TexelsOfNorm, int(column / 4))) : f;
}

// A unit of a row of W, but for what blocks have beside their bytes.
void unitOfW(Weights w, uint row, uint unit, inout Sixteen s, out float v[16]) {
  if (HALVES) halves8(w128((row * w.rowBytes >> 4) + unit), 0, v);
  else if (BLOCKS) {
    s = sixteen(w, row, unit);
    [[unroll]] for (uint i = 0; i < 16; i++) v[i] = float(bitfieldExtract(int(s.q[i / 4]), int(8 * (i % 4)), 8));
  } else floats16(w, row, unit, v);
}

void main() {
  uint firstToken = gl_WorkGroupID.y * TOKENS, tokens = ONE != 0 ? 1 : countOf(domain);
  if (ONE == 0 && firstToken >= tokens) return;
  Weights w = weightsOf();
  uint id = threadNumber(), firstOfGroup = gl_WorkGroupID.x * GROUPS * ROWS, firstRow = firstOfGroup + id / LANES * ROWS;
  Ending ending = endingOf(w, id, firstToken, tokens, firstOfGroup);

  uint rows[TOKENS];
  float sums[VALUES], square = 0.0;
  [[unroll]] for (uint t = 0; t < TOKENS; t++) rows[t] = from.at + rowOfX(min(firstToken + t, tokens - 1)) * from.stride;
  [[unroll]] for (uint v = 0; v < VALUES; v++) sums[v] = 0.0;
  if (INPUT == Normed)
    for (uint column = 4 * id; column < COLUMNS; column += 4 * THREADS) {
      vec4 f = quadOfX(rows[0] + column);
      square += dot(f, f);
    }
  for (uint unit = id % LANES; unit < UNITS; unit += LANES) {
    vec4 f[TOKENS * QUADS];
    float all[TOKENS];   // what the values of x come to, which some blocks have a part for
    [[unroll]] for (uint t = 0; t < TOKENS; t++) {
      all[t] = 0.0;
      [[unroll]] for (uint q = 0; q < QUADS; q++) {
        f[t * QUADS + q] = columnsOfX(rows[t], unit * UNIT + 4 * q);
        if (OFFSETS) all[t] += dot(f[t * QUADS + q], vec4(1.0));
      }
    }
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
      Sixteen s;
      float v[16];
      unitOfW(w, min(firstRow + r, w.count - 1), unit, s, v);
      [[unroll]] for (uint t = 0; t < TOKENS; t++) {
        float made = 0.0;
        [[unroll]] for (uint q = 0; q < QUADS; q++) made += dot(vec4(v[4 * q], v[4 * q + 1], v[4 * q + 2], v[4 * q + 3]), f[t * QUADS + q]);
        if (BLOCKS) made *= s.scale;
        if (OFFSETS) made += s.offset * all[t];
        sums[r * TOKENS + t] += made;
      }
    }
  }
  keepSquare(id, square);
  if (INPUT != 0) barrier();
  finish(ending, id, sums);
}
