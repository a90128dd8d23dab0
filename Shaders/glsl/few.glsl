// What products of few rows of x share: what they are given, and what becomes of the partial sums of threads (linear.comp, texels.comp).
#include "weights.glsl"
#include "lanes.glsl"

layout(constant_id = 3) const uint COLUMNS = 16;        // of W
layout(constant_id = 4) const uint TOKENS = 1;          // rows of x that a workgroup takes
layout(constant_id = 5) const uint ROWS = 1;
layout(constant_id = 6) const uint LANES = 32;          // whole subgroups; not fewer than ROWS * TOKENS
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
const uint UNITS = (COLUMNS + UNIT - 1) / UNIT, QUADS = UNIT / 4, GROUPS = THREADS / LANES, VALUES = ROWS * TOKENS;

#ifdef SUBGROUPS
const bool WHOLE = ADDENDS * LANES == THREADS;          // whether a subgroup has whole rows: nothing is added up across the workgroup then
#else
const bool WHOLE = false;
#endif

shared float parts[WHOLE ? 1 : ADDENDS * VALUES];
shared float squares[ADDENDS];

Weights weightsOf() {
  Weights w = pushed;
  w.columns = COLUMNS;
  return w;
}

uint rowOfX(uint token) { return ONE != 0 || selects == 0 ? token : outputRow(token); }

// Which of its rows' results a thread finishes, and of which rows: neighbours those of their own subgroup where that has all of them.
uint valueOf(uint id) { return WHOLE ? id % LANES : id % VALUES; }
uint groupOf(uint id) { return WHOLE ? id / LANES : id / VALUES; }

// Which result a thread will finish, and what it needs for that: asked for before the product.
struct Ending {
  bool finishes, convolves;
  uint value, token, column, channel, window;
  float added, first, tap[MostTaps], past[MostTaps];
};

Ending endingOf(Weights w, uint id, uint firstToken, uint tokens, uint firstOfGroup) {
  Ending e;
  e.value = valueOf(id);
  e.token = firstToken + e.value % TOKENS;
  uint row = firstOfGroup + groupOf(id) * ROWS + e.value / TOKENS;
  e.column = w.first + row;
  e.finishes = e.value < VALUES && groupOf(id) < GROUPS && e.token < tokens && row < w.count;
  e.convolves = TAPS != 0 && e.column - convFirst < channels;
  e.channel = e.column - convFirst;
  e.window = 0;
  e.added = e.first = 0.0;
  if (e.finishes) {
    if (hasBias != 0) e.first = bias[e.column];
    if (e.convolves) {
      e.window = (slotOf(e.token) * channels + e.channel) * (TAPS - 1);
      if (adds != 0) e.added = addTo[e.channel];
      [[unroll]] for (uint k = 0; k < MostTaps; k++) {
        e.tap[k] = k < TAPS ? taps[e.channel * TAPS + k] : 0.0;
        e.past[k] = k + 1 < TAPS ? state[e.window + k] : 0.0;
      }
    } else if (TAPS == 0 && adds != 0) e.added = addTo[residual.at + e.token * residual.stride + e.column];   // y may lie there: each value is read before it is written
  }
  return e;
}

// Keeps a thread's sum of squares for all; a barrier has to follow.
void keepSquare(uint id, float square) {
  if (INPUT == 0) return;
#ifdef SUBGROUPS
  float sum = subgroupAdd(square);
  if (subgroupElect()) squares[gl_SubgroupID] = sum;
#else
  squares[id] = square;
#endif
}

// The result that a thread finishes, of what all have; others get anything.
float addUp(Ending e, uint id, float sums[VALUES]) {
  float sum = 0.0;
#ifdef SUBGROUPS
  uint addends = LANES / gl_SubgroupSize;
  [[unroll]] for (uint v = 0; v < VALUES; v++) {
    float whole = subgroupAdd(sums[v]);
    if (!WHOLE && subgroupElect()) parts[gl_SubgroupID * VALUES + v] = whole;
    if (v == e.value) sum = whole;
  }
  if (WHOLE) return sum;
  sum = 0.0;
#else
  uint addends = LANES;
  [[unroll]] for (uint v = 0; v < VALUES; v++) parts[id * VALUES + v] = sums[v];
#endif
  barrier();
  if (e.finishes)
    for (uint i = 0; i < addends; i++) sum += parts[(groupOf(id) * addends + i) * VALUES + e.value];
  return sum;
}

// Adds up what the threads have, and writes results.
void finish(Ending e, uint id, float sums[VALUES]) {
  float sum = addUp(e, id, sums);
  if (e.finishes) {
    if (INPUT != 0) {
      float all = 0.0;
      for (uint i = 0; i < ADDENDS; i++) all += squares[i];
      sum *= rootReciprocal(all / float(COLUMNS) + epsilon);
    }
    sum = (sum + e.first) * scale;
    if (!e.convolves) {
      y[to.at + e.token * to.stride + e.column] = sum + e.added;
    } else {
      float convolved = e.added + e.tap[TAPS - 1] * sum;
      [[unroll]] for (uint k = 0; k + 1 < MostTaps; k++) convolved += e.tap[k] * (k + 1 < TAPS ? e.past[k] : 0.0);
      u[uRows.at + e.token * uRows.stride + e.channel] = silu(convolved);
      [[unroll]] for (uint k = 0; k + 1 < MostTaps; k++)
        if (k + 1 < TAPS) state[e.window + k] = k + 2 < TAPS ? e.past[k + 1] : sum;
    }
  }
}
