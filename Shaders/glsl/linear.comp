#version 450
// variants: subgroups subgroups.dot
// needs: GL_EXT_integer_dot_product for dot
// A product of few rows of x: LANES threads share ROWS rows of W, each taking every so many units of their columns. x lies in shared memory, all of it or a
// chunk of columns at a time; as it is brought there it may be normed, or gated and normed, and of what comes out some columns may go through the causal
// convolution at once, where each sequence has one row: a step of decode does so what are ops of their own elsewhere. The variant dot, of weights in blocks, rounds
// x to bytes there.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"
#include "few.glsl"
#ifdef DOT
#include "rounded.glsl"
#endif

layout(constant_id = 7) const uint DEPTH = 1;           // units of a row that a thread has on their way at once
layout(constant_id = 8) const uint CHUNK = 16;          // columns in shared memory at a time, in whole units

const uint CHUNK_UNITS = CHUNK / UNIT;
const uint STEPS = (CHUNK_UNITS + LANES * DEPTH - 1) / (LANES * DEPTH) * DEPTH, PADDED = STEPS * LANES;   // beyond its columns x is zero

#ifdef DOT
shared uvec4 xs[TOKENS * PADDED];
shared float scales[TOKENS * PADDED / 2];                // of two units
shared float totals[OFFSETS ? TOKENS * PADDED : 1];      // of a unit: what its values come to
#else
shared vec4 xs[TOKENS * PADDED * QUADS];   // of each row the first quads of all units, then the second ones, so that neighbours read neighbours
#endif

// Four columns of a row of x, normed but for the mean; its squares are added up.
vec4 bring(uint row, uint column, inout float square) {
  vec4 v = vec4(0.0);
  if (WIDE_X != 0) {
    if (column >= COLUMNS) return v;
    v = x4[(from.at + row * from.stride + column) / 4];
    if (INPUT == Gated) {
      vec4 z = gate4[(gateRows.at + row * gateRows.stride + column) / 4];
      v *= z / (1.0 + exp(-z));
    }
    square += dot(v, v);
    return INPUT != 0 ? v * norm4[column / 4] : v;
  }
  for (uint i = 0; i < 4; i++) {
    if (column + i >= COLUMNS) break;
    float f = x[from.at + row * from.stride + column + i];
    if (INPUT == Gated) f *= silu(gate[gateRows.at + row * gateRows.stride + column + i]);
    square += f * f;
    v[i] = INPUT != 0 ? f * norm[column + i] : f;
  }
  return v;
}

// The bytes of sixteen, each plus RAISED: as high bits of the fractions of halves from 256 on they take few instructions to become floats. The sum of
// sixteen loses three of its 24 bits by that (as low bits, from 1,024 on, it would be four and a half, which two layers of a model show).
const float RAISED = 256.0 + 128.0;
void raise(Sixteen s, out float v[16]) {
  [[unroll]] for (uint i = 0; i < 4; i++) {
    uint biased = s.q[i] ^ 0x80808080u;
    vec2 even = unpackHalf2x16(biased << 2 & 0x03fc03fcu | 0x5c005c00u), odd = unpackHalf2x16(biased >> 6 & 0x03fc03fcu | 0x5c005c00u);
    v[4 * i] = even.x;
    v[4 * i + 1] = odd.x;
    v[4 * i + 2] = even.y;
    v[4 * i + 3] = odd.y;
  }
}

void main() {
  uint firstToken = gl_WorkGroupID.y * TOKENS, tokens = ONE != 0 ? 1 : countOf(domain);
  if (ONE == 0 && firstToken >= tokens) return;
  Weights w = weightsOf();
  uint id = threadNumber(), lane = id % LANES, firstOfGroup = gl_WorkGroupID.x * GROUPS * ROWS, firstRow = firstOfGroup + id / LANES * ROWS;
  Ending ending = endingOf(w, id, firstToken, tokens, firstOfGroup);
  float sums[VALUES], square = 0.0;
  [[unroll]] for (uint v = 0; v < VALUES; v++) sums[v] = 0.0;
  for (uint chunk = 0; chunk < COLUMNS; chunk += CHUNK) {
    for (uint step = 0; step < STEPS; step += DEPTH) {
      Sixteen raw[DEPTH * ROWS];
      [[unroll]] for (uint d = 0; d < DEPTH; d++) {
        uint unit = min(chunk / UNIT + lane + (step + d) * LANES, UNITS - 1);
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
          uint of = min(firstRow + r, w.count - 1);
          if (HALVES) raw[d * ROWS + r].q = w128((of * w.rowBytes >> 4) + unit);
          else if (BLOCKS) raw[d * ROWS + r] = sixteen(w, of, unit);
        }
      }
      if (step == 0) {   // weights are on their way meanwhile
        if (chunk > 0) barrier();
        for (uint q = id; q < TOKENS * PADDED * QUADS; q += THREADS) {
          uint t = q / (PADDED * QUADS), at = q % (PADDED * QUADS), columnOfChunk = 4 * at;
          vec4 v = columnOfChunk < CHUNK ? bring(rowOfX(min(firstToken + t, tokens - 1)), chunk + columnOfChunk, square) : vec4(0.0);
#ifdef DOT
          float scale;
          uint four = roundFour(v, scale), of = q / QUADS;
          xs[of][q % QUADS] = four;
          if (q % 8 == 0) scales[of / 2] = scale;
          if (OFFSETS) {
            float total = scale * float(sumOfSixteen(four));
            if (q % QUADS == 0) totals[of] = total;
          }
#else
          xs[t * PADDED * QUADS + at % QUADS * PADDED + at / QUADS] = v;
#endif
        }
        barrier();
      }
      [[unroll]] for (uint d = 0; d < DEPTH; d++) {
#ifdef DOT
        [[unroll]] for (uint t = 0; t < TOKENS; t++) {
          uint of = t * PADDED + lane + (step + d) * LANES;
          uvec4 f = xs[of];
          float scale = scales[of / 2], total = OFFSETS ? totals[of] : 0.0;
          [[unroll]] for (uint r = 0; r < ROWS; r++) {
            float made = raw[d * ROWS + r].scale * (scale * float(dotOfSixteen(raw[d * ROWS + r].q, f)));
            if (OFFSETS) made += raw[d * ROWS + r].offset * total;
            sums[r * TOKENS + t] += made;
          }
        }
#else
        float v[ROWS * 16];
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
          float own[16];
          if (HALVES) halves8(raw[d * ROWS + r].q, 0, own);
          else if (BLOCKS) raise(raw[d * ROWS + r], own);
          else floats16(w, min(firstRow + r, w.count - 1), min(chunk / UNIT + lane + (step + d) * LANES, UNITS - 1), own);
          [[unroll]] for (uint i = 0; i < UNIT; i++) v[r * 16 + i] = own[i];
        }
        [[unroll]] for (uint t = 0; t < TOKENS; t++) {
          float made[ROWS], all = 0.0;   // all: what the values of x come to, which bytes have too much or beside their scale
          [[unroll]] for (uint r = 0; r < ROWS; r++) made[r] = 0.0;
          [[unroll]] for (uint q = 0; q < QUADS; q++) {
            vec4 f = xs[t * PADDED * QUADS + q * PADDED + lane + (step + d) * LANES];
            if (BLOCKS) all += f.x + f.y + f.z + f.w;
            [[unroll]] for (uint r = 0; r < ROWS; r++)
              made[r] += v[r * 16 + 4 * q] * f.x + v[r * 16 + 4 * q + 1] * f.y + v[r * 16 + 4 * q + 2] * f.z + v[r * 16 + 4 * q + 3] * f.w;
          }
          [[unroll]] for (uint r = 0; r < ROWS; r++) {
            if (BLOCKS) made[r] = raw[d * ROWS + r].scale * (made[r] - RAISED * all);
            if (OFFSETS) made[r] += raw[d * ROWS + r].offset * all;
            sums[r * TOKENS + t] += made[r];
          }
        }
#endif
      }
    }
  }
  finish(ending, id, sums, square);
}
