#version 450
// Both recurrences, over each sequence in time: LANES threads share a channel, each with some of its states in registers. What a step yields is the sum over
// those threads; it is made for a tile of steps at a time, so that they wait for each other twice a tile and not twice a step.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(constant_id = 1) const uint SSD = 0;         // Mamba-2: a decay a head, B and C a group; else a gate
layout(constant_id = 2) const uint STATES = 16;     // of a channel
layout(constant_id = 3) const uint LANES = 4;       // threads of a channel, a power of two

const uint THREADS = 128, TILE = 16;
const uint OWN = (STATES + LANES - 1) / LANES, CHANNELS = THREADS / LANES;
layout(local_size_x = THREADS) in;
layout(binding = 1, std430) readonly buffer U { float u[]; };
layout(binding = 2, std430) readonly buffer Dt { float dt[]; };
layout(binding = 3, std430) readonly buffer B { float b[]; };
layout(binding = 4, std430) readonly buffer C { float c[]; };
layout(binding = 5, std430) readonly buffer Z { float z[]; };
layout(binding = 6, std430) readonly buffer A { float a[]; };
layout(binding = 7, std430) readonly buffer D { float d[]; };
layout(binding = 8, std430) readonly buffer DtBias { float dtBias[]; };
layout(binding = 9, std430) buffer State { float state[]; };   // of each slot [channels, STATES]
layout(binding = 10, std430) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { Rows uRows, dtRows, bRows, cRows, zRows, to; uint channels, headDim, headsOfGroup; };

shared float parts[TILE * THREADS];

void main() {
  uint sequence = gl_WorkGroupID.y, id = gl_LocalInvocationID.x;
  if (sequence >= sequences()) return;
  uint firstChannel = gl_WorkGroupID.x * CHANNELS, channel = min(firstChannel + id / LANES, channels - 1), lane = id % LANES;
  bool owns = firstChannel + id / LANES < channels;
  uint start = startOf(sequence), length = lengthOf(sequence), states = (slotOf(sequence) * channels + channel) * STATES;
  uint head = SSD != 0 ? channel / headDim : channel, bc = SSD != 0 ? head / headsOfGroup * STATES : 0;
  float h[OWN], decays[OWN];
  for (uint i = 0; i < OWN; i++) {
    uint n = lane + LANES * i;
    h[i] = n < STATES ? state[states + n] : 0.0;
    decays[i] = SSD != 0 ? 0.0 : n < STATES ? a[channel * STATES + n] : 0.0;
  }
  float bias = dtBias[head], decayOfHead = SSD != 0 ? a[head] : 0.0;
  for (uint first = 0; first < length; first += TILE) {
    uint steps = min(TILE, length - first);
    for (uint k = 0; k < steps; k++) {
      uint row = start + first + k;
      float delta = softplus(dt[dtRows.at + row * dtRows.stride + head] + bias);
      float drive = delta * u[uRows.at + row * uRows.stride + channel], decay = exp(delta * decayOfHead), sum = 0.0;
      for (uint i = 0; i < OWN; i++) {
        uint n = lane + LANES * i;
        if (n >= STATES) break;
        h[i] = h[i] * (SSD != 0 ? decay : exp(delta * decays[i])) + drive * b[bRows.at + row * bRows.stride + bc + n];
        sum += h[i] * c[cRows.at + row * cRows.stride + bc + n];
      }
      parts[k * THREADS + id] = sum;
    }
    barrier();
    for (uint i = id; i < steps * CHANNELS; i += THREADS) {
      uint k = i / CHANNELS, of = i % CHANNELS, ch = firstChannel + of, row = start + first + k;
      if (ch >= channels) continue;
      float sum = d[SSD != 0 ? ch / headDim : ch] * u[uRows.at + row * uRows.stride + ch];
      for (uint l = 0; l < LANES; l++) sum += parts[k * THREADS + of * LANES + l];
      y[to.at + row * to.stride + ch] = SSD != 0 ? sum : sum * silu(z[zRows.at + row * zRows.stride + ch]);
    }
    barrier();
  }
  if (!owns) return;
  for (uint i = 0; i < OWN; i++) {
    uint n = lane + LANES * i;
    if (n < STATES) state[states + n] = h[i];
  }
}
