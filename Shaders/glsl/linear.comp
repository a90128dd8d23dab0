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
layout(constant_id = 16) const uint AHEAD = 0;          // quads of x that a thread has on their way at once; 0: nothing is asked for ahead, which is soon compiled

const uint CHUNK_UNITS = CHUNK / UNIT;
const uint STEPS = (CHUNK_UNITS + LANES * DEPTH - 1) / (LANES * DEPTH) * DEPTH, PADDED = STEPS * LANES;   // beyond its columns x is zero
const uint STAGED = TOKENS * PADDED * QUADS, HELD = AHEAD == 0 ? 1 : AHEAD;

#ifdef DOT
shared uvec4 xs[TOKENS * PADDED];
shared float scales[TOKENS * PADDED / 2];                // of two units
shared float totals[OFFSETS ? TOKENS * PADDED : 1];      // of a unit: what its values come to
#else
shared vec4 xs[STAGED];   // of each row the first quads of all units, then the second ones, so that neighbours read neighbours
#endif

// Four columns of a row of x, and what they are gated and normed by.
struct Four { vec4 x, gate, norm; };

Four look(uint row, uint column) {
  Four f;
  f.x = f.gate = f.norm = vec4(0.0);
  if (WIDE_X != 0) {
    if (column >= COLUMNS) return f;
    f.x = x4[(from.at + row * from.stride + column) / 4];
    if (INPUT == Gated) f.gate = gate4[(gateRows.at + row * gateRows.stride + column) / 4];
    if (INPUT != 0) f.norm = norm4[column / 4];
    return f;
  }
  [[unroll]] for (uint i = 0; i < 4; i++) {
    if (column + i >= COLUMNS) break;
    f.x[i] = x[from.at + row * from.stride + column + i];
    if (INPUT == Gated) f.gate[i] = gate[gateRows.at + row * gateRows.stride + column + i];
    if (INPUT != 0) f.norm[i] = norm[column + i];
  }
  return f;
}

// What they are to the product, normed but for the mean; their squares are added up.
vec4 bring(Four f, inout float square) {
  vec4 v = f.x;
  if (INPUT == Gated) v *= f.gate / (1.0 + exp(-f.gate));
  if (INPUT == 0) return v;
  square += dot(v, v);
  return v * f.norm;
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

// Quads of x that a thread brings, every so many from the first on: all are asked for before the first is used.
void hold(uint first, uint chunk, uint firstToken, uint tokens, out Four held[HELD]) {
  [[unroll]] for (uint i = 0; i < HELD; i++) {
    uint q = first + i * THREADS, column = 4 * (q % (PADDED * QUADS));
    held[i].x = held[i].gate = held[i].norm = vec4(0.0);
    if (q < STAGED && column < CHUNK) held[i] = look(rowOfX(TOKENS == 1 ? firstToken : min(firstToken + q / (PADDED * QUADS), tokens - 1)), chunk + column);
  }
}

void put(uint first, Four held[HELD], inout float square) {
  [[unroll]] for (uint i = 0; i < HELD; i++) {
    uint q = first + i * THREADS;
    vec4 v = bring(held[i], square);
#ifdef DOT
    float scale;
    uint four = roundFour(v, scale), of = q / QUADS;
    float total = OFFSETS ? scale * float(sumOfSixteen(four)) : 0.0;
    if (q < STAGED) {
      xs[of][q % QUADS] = four;
      if (q % 8 == 0) scales[of / 2] = scale;
      if (OFFSETS && q % QUADS == 0) totals[of] = total;
    }
#else
    uint at = q % (PADDED * QUADS);
    if (q < STAGED) xs[q / (PADDED * QUADS) * PADDED * QUADS + at % QUADS * PADDED + at / QUADS] = v;
#endif
  }
}

Sixteen raw[DEPTH * ROWS];   // what is on its way: no argument, as glslc copies these

// Asks for a unit of each of a thread's rows.
void ask(Weights w, uint firstRow, uint unit, uint d) {
  [[unroll]] for (uint r = 0; r < ROWS; r++) {
    uint of = min(firstRow + r, w.count - 1), known = min(unit, UNITS - 1);
    if (HALVES) raw[d * ROWS + r].q = w128((of * w.rowBytes >> 4) + known);
    else if (BLOCKS) raw[d * ROWS + r] = sixteen(w, of, known);
  }
}

// Multiplies it by what shared memory has in its place.
void multiply(Weights w, uint firstRow, uint unit, uint place, uint d, inout float sums[VALUES]) {
#ifdef DOT
  [[unroll]] for (uint t = 0; t < TOKENS; t++) {
    uint of = t * PADDED + place;
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
    else floats16(w, min(firstRow + r, w.count - 1), min(unit, UNITS - 1), own);
    [[unroll]] for (uint i = 0; i < UNIT; i++) v[r * 16 + i] = own[i];
  }
  [[unroll]] for (uint t = 0; t < TOKENS; t++) {
    float made[ROWS], all = 0.0;   // all: what the values of x come to, which bytes have too much or beside their scale
    [[unroll]] for (uint r = 0; r < ROWS; r++) made[r] = 0.0;
    [[unroll]] for (uint q = 0; q < QUADS; q++) {
      vec4 f = xs[t * PADDED * QUADS + q * PADDED + place];
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

void main() {
  uint firstToken = gl_WorkGroupID.y * TOKENS, tokens = ONE != 0 ? 1 : countOf(domain);
  if (ONE == 0 && firstToken >= tokens) return;
  Weights w = weightsOf();
  uint id = threadNumber(), lane = id % LANES, rowOfGroup = id / LANES * ROWS;
  float square = 0.0;
  Four held[HELD];
  if (AHEAD != 0) {
    hold(id, 0, firstToken, tokens, held);   // before weights, which come from farther away
    [[unroll]] for (uint d = 0; d < DEPTH; d++) ask(w, gl_WorkGroupID.x * GROUPS * ROWS + rowOfGroup, lane + d * LANES, d);
  }
  // A workgroup takes every so many groups of rows, and has weights of the next on their way while it ends one.
  for (uint first = gl_WorkGroupID.x * GROUPS * ROWS; first < w.count;) {
    uint next = first + gl_NumWorkGroups.x * GROUPS * ROWS, firstRow = first + rowOfGroup;
    Ending ending = endingOf(w, id, firstToken, tokens, first);
    float sums[VALUES];
    [[unroll]] for (uint v = 0; v < VALUES; v++) sums[v] = 0.0;
    for (uint chunk = 0; chunk < COLUMNS; chunk += CHUNK) {
      if (CHUNK < COLUMNS || first == gl_WorkGroupID.x * GROUPS * ROWS) {
        if (CHUNK < COLUMNS) {
          square = chunk == 0 ? 0.0 : square;
          if (chunk > 0 || first != gl_WorkGroupID.x * GROUPS * ROWS) {
            if (AHEAD != 0) hold(id, chunk, firstToken, tokens, held);
            barrier();
          }
        }
        if (AHEAD != 0) put(id, held, square);
        for (uint more = id + AHEAD * THREADS; more < STAGED; more += HELD * THREADS) {
          hold(more, chunk, firstToken, tokens, held);
          put(more, held, square);
        }
        keepSquare(id, square);
        barrier();
      }
      for (uint step = 0; step < STEPS; step += DEPTH) {
        bool ends = step + DEPTH >= STEPS, last = ends && chunk + CHUNK >= COLUMNS;
        uint row = last ? next + rowOfGroup : firstRow, unit = lane + (last ? 0 : ends ? (chunk + CHUNK) / UNIT : chunk / UNIT + (step + DEPTH) * LANES);
        [[unroll]] for (uint d = 0; d < DEPTH; d++) {
          if (AHEAD == 0) ask(w, firstRow, chunk / UNIT + lane + (step + d) * LANES, d);
          multiply(w, firstRow, chunk / UNIT + lane + (step + d) * LANES, lane + (step + d) * LANES, d, sums);
          if (AHEAD != 0 && (!last || next < w.count)) ask(w, row, unit + d * LANES, d);
        }
      }
    }
    finish(ending, id, sums);
    if (!WHOLE && next < w.count) barrier();
    first = next;
  }
}
