#version 450
// variants: window
// Causal convolution and SiLU. Rows of a prompt are independent of each other given the window, which is therefore brought up to date behind them, in a
// dispatch of its own (variant window); one row a sequence does both. A thread goes through ROWS rows of a channel, whose values before it keeps.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"
#include "halves.glsl"

layout(constant_id = 1) const uint STEP = 0;
layout(constant_id = 2) const uint YIELDS = AsFloats;
layout(constant_id = 3) const uint TAPS = 4;
layout(constant_id = 4) const uint ROWS = 1;

layout(local_size_x = 64) in;
layout(binding = 1, std430) readonly buffer X { float x[]; };
layout(binding = 4, std430) buffer State { float state[]; };   // of each slot [channels, past]
#ifndef WINDOW
layout(binding = 2, std430) readonly buffer Taps { float taps[]; };
layout(binding = 3, std430) readonly buffer Bias { float bias[]; };
layout(binding = 5, std430) writeonly buffer Y { float y[]; };
layout(binding = 6, std430) writeonly buffer Halves { uint16_t halves[]; };
#endif
layout(push_constant) uniform Push { Rows from, to; uint channels, hasBias, halvesStride; };

// Value number at of a channel, counted from the beginning of its window.
float valueAt(uint at, uint c, uint window, uint start) {
  uint past = TAPS - 1;
  return at < past ? state[window + at] : x[from.at + (start + at - past) * from.stride + c];
}

void moveWindow(uint c, uint window, uint start, uint length) {
  for (uint k = 0; k + 1 < TAPS; k++) state[window + k] = valueAt(length + k, c, window, start);
}

void main() {
  uint c = gl_GlobalInvocationID.x;
  if (c >= channels) return;
#ifdef WINDOW
  uint sequence = gl_WorkGroupID.y;
  if (sequence >= sequences()) return;
  moveWindow(c, (slotOf(sequence) * channels + c) * (TAPS - 1), startOf(sequence), lengthOf(sequence));
#else
  uint firstRow = gl_WorkGroupID.y * ROWS, rows = min(countOf(0), firstRow + ROWS);
  if (firstRow >= rows) return;
  float tap[TAPS], value[TAPS], next[ROWS], first = hasBias != 0 ? bias[c] : 0.0;
  [[unroll]] for (uint j = 0; j < ROWS; j++) next[j] = x[from.at + min(firstRow + j, rows - 1) * from.stride + c];   // all on their way at once
  [[unroll]] for (uint k = 0; k < TAPS; k++) tap[k] = taps[c * TAPS + k];
  uint sequence = sequenceOf(firstRow), last = sequenceOf(rows - 1), start = startOf(sequence), window = (slotOf(sequence) * channels + c) * (TAPS - 1);
  [[unroll]] for (uint k = 0; k + 1 < TAPS; k++) value[k + 1] = valueAt(firstRow - start + k, c, window, start);
  [[unroll]] for (uint j = 0; j < ROWS; j++) {
    uint row = firstRow + j;
    if (row >= rows) return;
    if (sequence != last && sequenceOf(row) != sequence) {
      sequence = sequenceOf(row);
      start = startOf(sequence);
      window = (slotOf(sequence) * channels + c) * (TAPS - 1);
      [[unroll]] for (uint k = 0; k + 1 < TAPS; k++) value[k + 1] = valueAt(row - start + k, c, window, start);
    }
    [[unroll]] for (uint k = 0; k + 1 < TAPS; k++) value[k] = value[k + 1];
    value[TAPS - 1] = next[j];
    float sum = first;
    [[unroll]] for (uint k = 0; k < TAPS; k++) sum += tap[k] * value[k];
    float v = silu(sum);
    if (YIELDS != AsHalves) y[to.at + row * to.stride + c] = v;
    if (YIELDS != AsFloats) halves[row * halvesStride + c] = uint16_t(halfOf(v));
    if (STEP != 0) moveWindow(c, window, start, 1);
  }
#endif
}
