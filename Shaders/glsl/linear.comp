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
#include "weights.glsl"
#include "lanes.glsl"
#ifdef DOT
#include "rounded.glsl"
#endif

layout(constant_id = 3) const uint COLUMNS = 16;        // of W
layout(constant_id = 4) const uint TOKENS = 1;          // rows of x that a workgroup takes
layout(constant_id = 5) const uint ROWS = 1;
layout(constant_id = 6) const uint LANES = 32;          // whole subgroups; not fewer than ROWS * TOKENS
layout(constant_id = 7) const uint DEPTH = 1;           // units of a row that a thread has on their way at once
layout(constant_id = 8) const uint CHUNK = 16;          // columns in shared memory at a time, in whole units
layout(constant_id = 9) const uint INPUT = 0;           // AsItIs, Normed or Gated; these with one row of x only
layout(constant_id = 10) const uint TAPS = 0;           // of the convolution
layout(constant_id = 11) const uint WIDE_X = 0;         // whether x is read sixteen bytes at a time
layout(constant_id = 12) const uint THREADS = 128;
layout(constant_id = 13) const uint ADDENDS = 128;      // partial sums of a workgroup: its subgroups, or threads without these
layout(constant_id = 14) const uint UNIT = 16;          // columns that a thread takes at a time: 8 where W is halves read sixteen bytes at a time

layout(constant_id = 15) const uint ONE = 0;            // whether there is one row of x: nothing is asked of the table first

layout(local_size_x_id = 12) in;
layout(binding = 3, std430) readonly buffer X { float x[]; };
layout(binding = 3, std430) readonly buffer WideX { vec4 x4[]; };
layout(binding = 4, std430) readonly buffer AddTo { float addTo[]; };       // or the bias of the convolution
layout(binding = 5, std430) readonly buffer Bias { float bias[]; };
layout(binding = 6, std430) writeonly buffer Y { float y[]; };
layout(binding = 7, std430) readonly buffer Norm { float norm[]; };
layout(binding = 7, std430) readonly buffer WideNorm { vec4 norm4[]; };
layout(binding = 8, std430) readonly buffer Gate { float gate[]; };
layout(binding = 8, std430) readonly buffer WideGate { vec4 gate4[]; };
layout(binding = 9, std430) readonly buffer Taps { float taps[]; };
layout(binding = 10, std430) buffer State { float state[]; };               // of each slot [channels, past]
layout(binding = 11, std430) writeonly buffer U { float u[]; };
layout(push_constant) uniform Push {
  Weights pushed;
  Rows from, gateRows, residual, to, uRows;
  float scale, epsilon;
  uint domain, selects, hasBias, adds, convFirst, channels;
};

const uint Normed = 1, Gated = 2, MostTaps = 4;
const bool HALVES = UNIT == 8, BLOCKS = FORM > BF16;
const uint UNITS = (COLUMNS + UNIT - 1) / UNIT, CHUNK_UNITS = CHUNK / UNIT;
const uint STEPS = (CHUNK_UNITS + LANES * DEPTH - 1) / (LANES * DEPTH) * DEPTH, PADDED = STEPS * LANES, QUADS = UNIT / 4;   // beyond its columns x is zero
const uint GROUPS = THREADS / LANES, VALUES = ROWS * TOKENS;

#ifdef DOT
shared uvec4 xs[TOKENS * PADDED];
shared float scales[TOKENS * PADDED / 2];                // of two units
shared float totals[OFFSETS ? TOKENS * PADDED : 1];      // of a unit: what its values come to
#else
shared vec4 xs[TOKENS * PADDED * QUADS];   // of each row the first quads of all units, then the second ones, so that neighbours read neighbours
#endif
shared float parts[ADDENDS * VALUES];
shared float squares[ADDENDS];

Weights weightsOf() {
  Weights w = pushed;
  w.columns = COLUMNS;
  return w;
}

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

uint rowOfX(uint token) { return ONE != 0 || selects == 0 ? token : outputRow(token); }

void main() {
  uint firstToken = gl_WorkGroupID.y * TOKENS, tokens = ONE != 0 ? 1 : countOf(domain);
  if (ONE == 0 && firstToken >= tokens) return;
  Weights w = weightsOf();
  uint id = threadNumber(), lane = id % LANES, firstOfGroup = gl_WorkGroupID.x * GROUPS * ROWS, firstRow = firstOfGroup + id / LANES * ROWS;

  // Which result this thread will finish, and what it needs for that.
  uint value = id % VALUES, token = firstToken + value % TOKENS, row = firstOfGroup + id / VALUES * ROWS + value / TOKENS, column = w.first + row;
  bool finishes = id < GROUPS * VALUES && token < tokens && row < w.count, convolves = TAPS != 0 && column - convFirst < channels;
  uint channel = column - convFirst, window = 0;
  float added = 0.0, first = 0.0, tap[MostTaps], past[MostTaps];
  if (finishes) {
    if (hasBias != 0) first = bias[column];
    if (convolves) {
      window = (slotOf(token) * channels + channel) * (TAPS - 1);
      if (adds != 0) added = addTo[channel];
      [[unroll]] for (uint k = 0; k < MostTaps; k++) {
        tap[k] = k < TAPS ? taps[channel * TAPS + k] : 0.0;
        past[k] = k + 1 < TAPS ? state[window + k] : 0.0;
      }
    } else if (TAPS == 0 && adds != 0) added = addTo[residual.at + token * residual.stride + column];   // y may lie there: each value is read before it is written
  }

  float sums[VALUES], square = 0.0;
  [[unroll]] for (uint v = 0; v < VALUES; v++) sums[v] = 0.0;
  for (uint chunk = 0; chunk < COLUMNS; chunk += CHUNK) {
    for (uint step = 0; step < STEPS; step += DEPTH) {
      Sixteen raw[DEPTH * ROWS];
      [[unroll]] for (uint d = 0; d < DEPTH; d++) {
        uint unit = min(chunk / UNIT + lane + (step + d) * LANES, UNITS - 1);
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
          uint of = min(firstRow + r, w.count - 1);
          if (HALVES) raw[d * ROWS + r].q = w128[(of * w.rowBytes >> 4) + unit];
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

#ifdef SUBGROUPS
  uint addends = LANES / gl_SubgroupSize;
  [[unroll]] for (uint v = 0; v < VALUES; v++) {
    float sum = subgroupAdd(sums[v]);
    if (subgroupElect()) parts[gl_SubgroupID * VALUES + v] = sum;
  }
  if (INPUT != 0) {
    float sum = subgroupAdd(square);
    if (subgroupElect()) squares[gl_SubgroupID] = sum;
  }
#else
  uint addends = LANES;
  [[unroll]] for (uint v = 0; v < VALUES; v++) parts[id * VALUES + v] = sums[v];
  if (INPUT != 0) squares[id] = square;
#endif
  barrier();
  if (!finishes) return;
  float sum = 0.0;
  for (uint i = 0; i < addends; i++) sum += parts[(id / VALUES * addends + i) * VALUES + value];
  if (INPUT != 0) {
    float all = 0.0;
    for (uint i = 0; i < GROUPS * addends; i++) all += squares[i];
    sum *= rootReciprocal(all / float(COLUMNS) + epsilon);
  }
  sum = (sum + first) * scale;
  if (!convolves) {
    y[to.at + token * to.stride + column] = sum + added;
    return;
  }
  float convolved = added + tap[TAPS - 1] * sum;
  [[unroll]] for (uint k = 0; k + 1 < MostTaps; k++) convolved += tap[k] * (k + 1 < TAPS ? past[k] : 0.0);
  u[uRows.at + token * uRows.stride + channel] = silu(convolved);
  [[unroll]] for (uint k = 0; k + 1 < MostTaps; k++)
    if (k + 1 < TAPS) state[window + k] = k + 2 < TAPS ? past[k + 1] : sum;
}
