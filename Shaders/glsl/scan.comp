#version 450
// Both recurrences, over each sequence in time: LANES threads share a channel, each with some of its states in registers. Time goes by tiles of STEPS steps:
// what they need is brought to shared memory while the tile before is in work, each thread bringing what it will finish; then a thread goes through the tile,
// eight steps' sums at a time in registers, and what a step yields is added up over the channel's threads for the whole tile at once. So threads wait for each
// other twice a tile, and nothing that a step reads stands behind what an earlier one writes.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"
#include "halves.glsl"

layout(constant_id = 1) const uint SSD = 0;         // Mamba-2: a decay a head, B and C a group; else a gate
layout(constant_id = 2) const uint STATES = 16;     // of a channel
layout(constant_id = 3) const uint OWN = 2;         // of a thread
layout(constant_id = 4) const uint LANES = 8;       // threads of a channel: OWN * LANES are not fewer than STATES
layout(constant_id = 5) const uint STEPS = 32;      // a multiple of AtOnce
layout(constant_id = 6) const uint YIELDS = AsFloats;

const uint THREADS = 128, AtOnce = 8, CHANNELS = THREADS / LANES, PADDED = OWN * LANES;
const uint INPUTS = STEPS / LANES > 0 ? STEPS / LANES : 1, READS = (STEPS * PADDED + THREADS - 1) / THREADS;   // that a thread brings for a tile: of its channel, and of B and C
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
layout(binding = 11, std430) writeonly buffer Halves { uint16_t halves[]; };
layout(push_constant) uniform Push { Rows uRows, dtRows, bRows, cRows, zRows, to; uint channels, headDim, headsOfGroup, halvesStride; };

shared vec2 inputs[STEPS * CHANNELS];        // of a step and channel: delta, or for a head its decay, and delta * u
shared vec4 reads[STEPS * PADDED / 2];       // of a step and two states: B and C, B and C
shared float parts[STEPS * THREADS];

void main() {
  uint sequence = gl_WorkGroupID.y, id = gl_LocalInvocationID.x;
  if (sequence >= sequences()) return;
  uint of = id % CHANNELS, lane = id / CHANNELS, firstChannel = gl_WorkGroupID.x * CHANNELS, channel = min(firstChannel + of, channels - 1);
  bool owns = firstChannel + of < channels;
  uint start = startOf(sequence), length = lengthOf(sequence), states = (slotOf(sequence) * channels + channel) * STATES;
  uint head = SSD != 0 ? channel / headDim : channel, bc = SSD != 0 ? firstChannel / headDim / headsOfGroup * STATES : 0;   // channels of a workgroup are of one group
  float h[OWN], decays[OWN];
  [[unroll]] for (uint i = 0; i < OWN; i++) {
    uint n = lane * OWN + i;
    h[i] = n < STATES ? state[states + n] : 0.0;
    decays[i] = SSD != 0 || n >= STATES ? 0.0 : a[channel * STATES + n] * 1.44269504;   // for powers of two
  }
  float bias = dtBias[head], skip = d[head], decayOfHead = SSD != 0 ? a[head] : 0.0;
  float nextDt[INPUTS], nextU[INPUTS], nextZ[INPUTS], ownU[INPUTS], ownZ[INPUTS];
  vec2 nextReads[READS];
  // One tile more than there are: each turn brings a tile, and goes through the one that the turn before brought.
  for (uint tile = 0; tile < length + STEPS; tile += STEPS) {
    if (tile > 0) {
      [[unroll]] for (uint j = 0; j < INPUTS; j++) {
        uint k = lane + LANES * j;
        if (LANES > STEPS && k >= STEPS) continue;
        float delta = tile - STEPS + k < length ? softplus(nextDt[j] + bias) : 0.0;   // beyond the end nothing changes
        inputs[k * CHANNELS + of] = vec2(SSD != 0 ? exp(delta * decayOfHead) : delta, delta * nextU[j]);
        ownU[j] = nextU[j];
        ownZ[j] = nextZ[j];
      }
      [[unroll]] for (uint j = 0; j < READS; j++) {
        uint e = id + THREADS * j;
        if (STEPS * PADDED % THREADS != 0 && e >= STEPS * PADDED) continue;
        if (e % 2 == 0) reads[e / 2].xy = nextReads[j];
        else reads[e / 2].zw = nextReads[j];
      }
      barrier();
    }
    [[unroll]] for (uint j = 0; j < INPUTS; j++) {
      uint row = start + min(tile + lane + LANES * j, length - 1);
      nextDt[j] = dt[dtRows.at + row * dtRows.stride + head];
      nextU[j] = u[uRows.at + row * uRows.stride + channel];
      nextZ[j] = SSD != 0 ? 0.0 : z[zRows.at + row * zRows.stride + channel];
    }
    [[unroll]] for (uint j = 0; j < READS; j++) {
      uint e = id + THREADS * j, n = min(e % PADDED, STATES - 1), row = start + min(tile + e / PADDED, length - 1);
      vec2 read = vec2(b[bRows.at + row * bRows.stride + bc + n], c[cRows.at + row * cRows.stride + bc + n]);
      nextReads[j] = PADDED == STATES || e % PADDED < STATES ? read : vec2(0.0);
    }
    if (tile == 0) continue;
    for (uint first = 0; first < STEPS; first += AtOnce) {
      float sums[AtOnce];
      [[unroll]] for (uint k = 0; k < AtOnce; k++) {
        vec2 in_ = inputs[(first + k) * CHANNELS + of];
        sums[k] = 0.0;
        [[unroll]] for (uint i = 0; i < OWN; i += 2) {
          vec4 r = reads[((first + k) * PADDED + lane * OWN + i) / 2];
          h[i] = h[i] * (SSD != 0 ? in_.x : exp2(in_.x * decays[i])) + in_.y * r.x;
          h[i + 1] = h[i + 1] * (SSD != 0 ? in_.x : exp2(in_.x * decays[i + 1])) + in_.y * r.z;
          sums[k] += h[i] * r.y + h[i + 1] * r.w;
        }
      }
      [[unroll]] for (uint k = 0; k < AtOnce; k++) parts[(first + k) * THREADS + id] = sums[k];
    }
    barrier();
    [[unroll]] for (uint j = 0; j < INPUTS; j++) {
      uint k = lane + LANES * j, step = tile - STEPS + k;
      if (k >= STEPS || step >= length || !owns) continue;
      float sum = skip * ownU[j];
      for (uint l = 0; l < LANES; l++) sum += parts[k * THREADS + l * CHANNELS + of];
      if (SSD == 0) sum *= silu(ownZ[j]);
      if (YIELDS != AsHalves) y[to.at + (start + step) * to.stride + channel] = sum;
      if (YIELDS != AsFloats) halves[(start + step) * halvesStride + channel] = uint16_t(halfOf(sum));
    }
  }
  if (!owns) return;
  [[unroll]] for (uint i = 0; i < OWN; i++) {
    uint n = lane * OWN + i;
    if (n < STATES) state[states + n] = h[i];
  }
}
