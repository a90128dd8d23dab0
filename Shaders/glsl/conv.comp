#version 450
// variants: window
// Causal convolution and SiLU. Rows of a prompt are independent of each other given the window, which is therefore brought up to date behind them, in a
// dispatch of its own (variant window); one row a sequence does both.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(constant_id = 1) const uint STEP = 0;

layout(local_size_x = 64) in;
layout(binding = 1, std430) readonly buffer X { float x[]; };
layout(binding = 4, std430) buffer State { float state[]; };   // of each slot [channels, past]
#ifndef WINDOW
layout(binding = 2, std430) readonly buffer Taps { float taps[]; };
layout(binding = 3, std430) readonly buffer Bias { float bias[]; };
layout(binding = 5, std430) writeonly buffer Y { float y[]; };
#endif
layout(push_constant) uniform Push { Rows from, to; uint channels, tapCount, hasBias; };

// Value number at of a channel, counted from the beginning of its window.
float valueAt(uint at, uint c, uint window, uint start) {
  uint past = tapCount - 1;
  return at < past ? state[window + at] : x[from.at + (start + at - past) * from.stride + c];
}

void moveWindow(uint c, uint window, uint start, uint length) {
  for (uint k = 0; k + 1 < tapCount; k++) state[window + k] = valueAt(length + k, c, window, start);
}

void main() {
  uint c = gl_GlobalInvocationID.x;
  if (c >= channels) return;
#ifdef WINDOW
  uint sequence = gl_WorkGroupID.y;
  if (sequence >= sequences()) return;
  moveWindow(c, (slotOf(sequence) * channels + c) * (tapCount - 1), startOf(sequence), lengthOf(sequence));
#else
  uint row = gl_WorkGroupID.y;
  if (row >= countOf(0)) return;
  uint sequence = sequenceOf(row), start = startOf(sequence), window = (slotOf(sequence) * channels + c) * (tapCount - 1);
  float sum = hasBias != 0 ? bias[c] : 0.0;
  for (uint k = 0; k < tapCount; k++) sum += taps[c * tapCount + k] * valueAt(row - start + k, c, window, start);
  y[to.at + row * to.stride + c] = silu(sum);
  if (STEP != 0) moveWindow(c, window, start, 1);
#endif
}
