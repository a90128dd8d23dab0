#version 450
// variants: subgroups subgroups.texels
// One step of both recurrences, for sequences of one row: LANES threads share a channel, each with some of its states. dt's projection, where it has a rank, is
// made here.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "weights.glsl"
#include "lanes.glsl"

layout(constant_id = 3) const uint SSD = 0;         // Mamba-2: a decay a head, B and C a group
layout(constant_id = 4) const uint STATES = 16;     // of a channel
layout(constant_id = 5) const uint LANES = 8;       // a power of two; not more than a subgroup
layout(constant_id = 6) const uint RANK = 0;        // columns of dt's projection, in W; 0 where dt is made already
layout(constant_id = 7) const uint WIDE_X = 0;      // whether what that reads is read sixteen bytes at a time

layout(constant_id = 8) const uint ONE = 0;         // whether there is one sequence: nothing is asked of the table first but its slot
layout(constant_id = 9) const uint GATED = 0;       // whether results go through a gate: Mamba-1's, or what Mamba-2 has behind its scan

const uint THREADS = 128, CHANNELS = THREADS / LANES, OWN = (STATES + LANES - 1) / LANES;
layout(local_size_x = THREADS) in;
layout(binding = 3, std430) readonly buffer Dt { float dt[]; };             // or what its projection reads
layout(binding = 4, std430) readonly buffer U { float u[]; };
layout(binding = 7, std430) readonly buffer Z { float z[]; };
layout(binding = 9, std430) readonly buffer D { float d[]; };
layout(binding = 10, std430) readonly buffer DtBias { float dtBias[]; };
layout(binding = 11, std430) buffer State { float state[]; };               // of each slot [channels, STATES]
layout(binding = 12, std430) writeonly buffer Y { float y[]; };
#ifdef TEXELS
layout(binding = 16) uniform utextureBuffer WideDt;
layout(binding = 18) uniform utextureBuffer TexelsOfB;
layout(binding = 19) uniform utextureBuffer TexelsOfC;
layout(binding = 20) uniform utextureBuffer TexelsOfA;
layout(binding = 21) uniform utextureBuffer TexelsOfState;   // as the step finds it
vec4 dt4(uint i) { return uintBitsToFloat(texelFetch(WideDt, int(i))); }
float b(uint i) { return uintBitsToFloat(texelFetch(TexelsOfB, int(i)).x); }
float c(uint i) { return uintBitsToFloat(texelFetch(TexelsOfC, int(i)).x); }
float a(uint i) { return uintBitsToFloat(texelFetch(TexelsOfA, int(i)).x); }
float stateAt(uint i) { return uintBitsToFloat(texelFetch(TexelsOfState, int(i)).x); }
#else
layout(binding = 3, std430) readonly buffer WideDt { vec4 wideDt[]; };
layout(binding = 5, std430) readonly buffer B { float floatsOfB[]; };
layout(binding = 6, std430) readonly buffer C { float floatsOfC[]; };
layout(binding = 8, std430) readonly buffer A { float floatsOfA[]; };
#define dt4(i) wideDt[i]
#define b(i) floatsOfB[i]
#define c(i) floatsOfC[i]
#define a(i) floatsOfA[i]
#define stateAt(i) state[i]
#endif
layout(push_constant) uniform Push { Weights pushed; Rows uRows, dtRows, bRows, cRows, zRows, to; uint channels, headDim, headsOfGroup; };

#ifdef SUBGROUPS
float sumOfLanes(float v, uint id) {
  for (uint other = 1; other < LANES; other *= 2) v += subgroupShuffleXor(v, other);
  return v;
}
#else
shared float parts[THREADS];
float sumOfLanes(float v, uint id) {
  barrier();
  parts[id] = v;
  barrier();
  float sum = 0.0;
  for (uint i = 0; i < LANES; i++) sum += parts[id / LANES * LANES + i];
  return sum;
}
#endif

const uint PIECES = (RANK + 16 * LANES - 1) / (16 * LANES);   // of a row of dt's projection, that a thread has

// The part of a row of dt's projection that this thread has. Without branches, so that all is asked for before the first is used.
float projected(uint channel, uint lane, uint at) {
  Weights w = pushed;
  w.columns = RANK;
  float sum = 0.0;
  [[unroll]] for (uint piece = 0; piece < PIECES; piece++) {
    uint own = lane + piece * LANES, group = min(own, (RANK + 15) / 16 - 1);
    float v[16], made = 0.0;
    decode16(w, channel, group, v);
    [[unroll]] for (uint i = 0; i < 16; i += 4) {
      uint column = 16 * group + i;
      vec4 f = vec4(0.0);
      if (WIDE_X != 0) {
        if (RANK % 16 == 0 || column < RANK) f = dt4((at + column) / 4);
      } else
        for (uint k = 0; k < 4; k++)
          if (column + k < RANK) f[k] = dt[at + column + k];
      made += v[i] * f.x + v[i + 1] * f.y + v[i + 2] * f.z + v[i + 3] * f.w;
    }
    if (16 * own < RANK) sum += made;
  }
  return sum;
}

void main() {
  uint sequence = gl_WorkGroupID.y, id = threadNumber();
  if (ONE == 0 && sequence >= sequences()) return;
  uint lane = id % LANES, numbered = gl_WorkGroupID.x * CHANNELS + id / LANES, channel = min(numbered, channels - 1);
  uint slot = slotOf(sequence), row = ONE != 0 ? 0 : startOf(sequence);
  uint head = SSD != 0 ? channel / headDim : channel, bc = SSD != 0 ? head / headsOfGroup * STATES : 0;
  float part = RANK != 0 ? projected(channel, lane, dtRows.at + row * dtRows.stride) : dt[dtRows.at + row * dtRows.stride + head];
  float in_ = u[uRows.at + row * uRows.stride + channel], skip = d[head], bias = dtBias[head], decayOfHead = SSD != 0 ? a(head) : 0.0;
  float gate = GATED == 0 ? 0.0 : z[zRows.at + row * zRows.stride + channel];
  float h[OWN], decays[OWN], drives[OWN], reads[OWN];
  uint states = (slot * channels + channel) * STATES;   // last, as the slot has to come first
  [[unroll]] for (uint i = 0; i < OWN; i++) {
    uint n = min(lane + LANES * i, STATES - 1);
    decays[i] = SSD != 0 ? 0.0 : a(channel * STATES + n);
    drives[i] = b(bRows.at + row * bRows.stride + bc + n);
    reads[i] = c(cRows.at + row * cRows.stride + bc + n);
  }
  [[unroll]] for (uint i = 0; i < OWN; i++) h[i] = stateAt(states + min(lane + LANES * i, STATES - 1));
  float delta = softplus((RANK != 0 ? sumOfLanes(part, id) : part) + bias);
  float decay = exp(delta * decayOfHead), sum = 0.0;
  for (uint i = 0; i < OWN; i++) {
    uint n = lane + LANES * i;
    if (n >= STATES) break;
    h[i] = h[i] * (SSD != 0 ? decay : exp(delta * decays[i])) + delta * in_ * drives[i];
    sum += h[i] * reads[i];
    if (numbered < channels) state[states + n] = h[i];
  }
  sum = sumOfLanes(sum, id) + skip * in_;
  if (lane == 0 && numbered < channels) y[to.at + row * to.stride + channel] = GATED == 0 ? sum : sum * silu(gate);
}
