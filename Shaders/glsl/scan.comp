#version 450
// Both recurrences, over each sequence in time: LANES threads share channels, each with some of their states in registers. Time goes by tiles of STEPS steps:
// what they need is brought to shared memory while the tile before is in work, each thread bringing what it will finish; then a thread goes through the tile,
// eight steps' sums at a time in registers, and what a step yields is added up over the channel's threads for the whole tile at once. So nothing that a step
// reads stands behind what an earlier one writes. Threads wait for each other twice a tile; or SERVERS further threads bring a tile and finish another while
// these go through one, and all wait once a tile: that is for cards, which have few such workgroups to do something else meanwhile.
// A thread of several channels uses B and C for each of them, as shared memory is slower than sums; these are then of one head.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"
#include "halves.glsl"

layout(constant_id = 1) const uint SSD = 0;         // Mamba-2: a decay a head, B and C a group; else a gate
layout(constant_id = 2) const uint STATES = 16;     // of a channel
layout(constant_id = 3) const uint OWN = 2;         // of a thread and channel
layout(constant_id = 4) const uint LANES = 8;       // threads of a channel: OWN * LANES are not fewer than STATES
layout(constant_id = 5) const uint STEPS = 32;      // a multiple of AtOnce
layout(constant_id = 6) const uint YIELDS = AsFloats;
layout(constant_id = 7) const uint ACROSS = 1;      // channels of a thread: 1, or even and at most LANES
layout(constant_id = 8) const uint SERVERS = 0;     // threads that bring and finish, beside THREADS that scan; 0: these do it
layout(local_size_x_id = 9) in;                     // THREADS + SERVERS

const uint THREADS = 128, AtOnce = 8, GROUPS = THREADS / LANES, CHANNELS = GROUPS * ACROSS, PADDED = OWN * LANES;
const uint SERVING = SERVERS > 0 ? SERVERS : THREADS, BUFFERS = SERVERS > 0 ? 2 : 1;
const uint ROWS = SERVING / CHANNELS, INPUTS = (STEPS + ROWS - 1) / ROWS, READS = (STEPS * PADDED + SERVING - 1) / SERVING;   // steps at a time, and what a thread brings for a tile: of its channel, and of B and C
const uint PLANE = ACROSS > 1 ? THREADS + GROUPS : THREADS;   // so that a step's channels fall to different banks
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

const uint SumsOfTile = STEPS * ACROSS * PLANE, InputsOfTile = ACROSS > 1 ? STEPS : STEPS * CHANNELS, UsOfTile = STEPS * CHANNELS / 2, ReadsOfTile = STEPS * PADDED / 2;
shared vec2 inputs[BUFFERS * InputsOfTile];                      // of a step and channel: delta, or for a head its decay, and delta * u; of several channels delta in the place of the latter
shared vec2 us[ACROSS > 1 ? BUFFERS * UsOfTile : 1];             // of a step and two channels
shared vec4 reads[BUFFERS * ReadsOfTile];                        // of a step and two states: B and C, B and C
shared float parts[BUFFERS * SumsOfTile];

uint start, length_;
// What a thread brings and finishes: a channel, and every ROWS-th step of it.
uint server, of, turn, channel, head, bc;
bool owns;
float bias, skip, decayOfHead, nextDt[INPUTS], nextU[INPUTS], nextZ[INPUTS], ownU[INPUTS], ownZ[INPUTS], earlierU[INPUTS], earlierZ[INPUTS], nextStep;
vec2 nextReads[READS];
// What it scans: its states of ACROSS channels.
uint group, lane;
float h[ACROSS][OWN], decays[OWN];

// Asks for what the steps from `tile` on need; beyond the end it is what the last has.
void bring(uint tile) {
  if (ACROSS > 1) nextStep = dt[dtRows.at + (start + min(tile + server, length_ - 1)) * dtRows.stride + head];
  [[unroll]] for (uint j = 0; j < INPUTS; j++) {
    uint row = start + min(tile + turn + ROWS * j, length_ - 1);
    if (ACROSS == 1) nextDt[j] = dt[dtRows.at + row * dtRows.stride + head];
    nextU[j] = u[uRows.at + row * uRows.stride + channel];
    nextZ[j] = SSD != 0 ? 0.0 : z[zRows.at + row * zRows.stride + channel];
  }
  [[unroll]] for (uint j = 0; j < READS; j++) {
    uint e = server + SERVING * j, n = min(e % PADDED, STATES - 1), row = start + min(tile + e / PADDED, length_ - 1);
    vec2 read = vec2(b[bRows.at + row * bRows.stride + bc + n], c[cRows.at + row * cRows.stride + bc + n]);
    nextReads[j] = PADDED == STATES || e % PADDED < STATES ? read : vec2(0.0);
  }
}

// Keeps of what it asked for what finishing takes.
void keep() {
  [[unroll]] for (uint j = 0; j < INPUTS; j++) {
    earlierU[j] = ownU[j];
    earlierZ[j] = ownZ[j];
    ownU[j] = nextU[j];
    ownZ[j] = nextZ[j];
  }
}

// Lays what it asked for into shared memory.
void place(uint tile, uint buffer_) {
  if (ACROSS > 1 && server < STEPS) {
    float delta = tile + server < length_ ? softplus(nextStep + bias) : 0.0;   // beyond the end nothing changes
    inputs[buffer_ * InputsOfTile + server] = vec2(exp(delta * decayOfHead), delta);
  }
  [[unroll]] for (uint j = 0; j < INPUTS; j++) {
    uint k = turn + ROWS * j;
    if (STEPS % ROWS != 0 && k >= STEPS) continue;
    if (ACROSS > 1) {
      if (of % 2 == 0) us[buffer_ * UsOfTile + (k * CHANNELS + of) / 2].x = nextU[j];
      else us[buffer_ * UsOfTile + (k * CHANNELS + of) / 2].y = nextU[j];
    } else {
      float delta = tile + k < length_ ? softplus(nextDt[j] + bias) : 0.0;
      inputs[buffer_ * InputsOfTile + k * CHANNELS + of] = vec2(SSD != 0 ? exp(delta * decayOfHead) : delta, delta * nextU[j]);
    }
  }
  [[unroll]] for (uint j = 0; j < READS; j++) {
    uint e = server + SERVING * j;
    if (STEPS * PADDED % SERVING != 0 && e >= STEPS * PADDED) continue;
    if (e % 2 == 0) reads[buffer_ * ReadsOfTile + e / 2].xy = nextReads[j];
    else reads[buffer_ * ReadsOfTile + e / 2].zw = nextReads[j];
  }
}

void scan(uint buffer_) {
  for (uint first = 0; first < STEPS; first += AtOnce) {
    float sums[AtOnce][ACROSS];
    [[unroll]] for (uint k = 0; k < AtOnce; k++) {
      vec2 in_[ACROSS];
      if (ACROSS == 1) in_[0] = inputs[buffer_ * InputsOfTile + (first + k) * CHANNELS + group];
      else {
        vec2 both = inputs[buffer_ * InputsOfTile + first + k];
        [[unroll]] for (uint j = 0; j < ACROSS; j += 2) {
          vec2 two = us[buffer_ * UsOfTile + ((first + k) * CHANNELS + group * ACROSS + j) / 2];
          in_[j] = vec2(both.x, both.y * two.x);
          in_[j + 1 < ACROSS ? j + 1 : 0] = vec2(both.x, both.y * two.y);
        }
      }
      [[unroll]] for (uint j = 0; j < ACROSS; j++) sums[k][j] = 0.0;
      [[unroll]] for (uint i = 0; i < OWN; i += 2) {
        vec4 r = reads[buffer_ * ReadsOfTile + ((first + k) * PADDED + lane * OWN + i) / 2];
        [[unroll]] for (uint j = 0; j < ACROSS; j++) {
          h[j][i] = h[j][i] * (SSD != 0 ? in_[j].x : exp2(in_[j].x * decays[i])) + in_[j].y * r.x;
          h[j][i + 1] = h[j][i + 1] * (SSD != 0 ? in_[j].x : exp2(in_[j].x * decays[i + 1])) + in_[j].y * r.z;
          sums[k][j] += h[j][i] * r.y + h[j][i + 1] * r.w;
        }
      }
    }
    [[unroll]] for (uint k = 0; k < AtOnce; k++)
      [[unroll]] for (uint j = 0; j < ACROSS; j++) parts[buffer_ * SumsOfTile + ((first + k) * ACROSS + j) * PLANE + gl_LocalInvocationID.x] = sums[k][j];
  }
}

void finish(uint tile, uint buffer_) {
  [[unroll]] for (uint j = 0; j < INPUTS; j++) {
    uint k = turn + ROWS * j, step = tile + k;
    if (k >= STEPS || step >= length_ || !owns) continue;
    float sum = skip * (SERVERS > 0 ? earlierU[j] : ownU[j]);
    for (uint l = 0; l < LANES; l++) sum += parts[buffer_ * SumsOfTile + (k * ACROSS + of % ACROSS) * PLANE + l * GROUPS + of / ACROSS];
    if (SSD == 0) sum *= silu(SERVERS > 0 ? earlierZ[j] : ownZ[j]);
    if (YIELDS != AsHalves) y[to.at + (start + step) * to.stride + channel] = sum;
    if (YIELDS != AsFloats) halves[(start + step) * halvesStride + channel] = uint16_t(halfOf(sum));
  }
}

void main() {
  uint sequence = gl_WorkGroupID.y, id = gl_LocalInvocationID.x, firstChannel = gl_WorkGroupID.x * CHANNELS;
  if (sequence >= sequences()) return;
  bool serves = SERVERS > 0 && id >= THREADS, scans = !serves;
  start = startOf(sequence);
  length_ = lengthOf(sequence);
  server = serves ? id - THREADS : id;
  of = server % CHANNELS;
  turn = server / CHANNELS;
  channel = min(firstChannel + of, channels - 1);
  owns = firstChannel + of < channels;
  head = SSD != 0 ? channel / headDim : channel;
  bc = SSD != 0 ? firstChannel / headDim / headsOfGroup * STATES : 0;   // channels of a workgroup are of one group
  bias = dtBias[head];
  skip = d[head];
  decayOfHead = SSD != 0 ? a[head] : 0.0;
  group = id % GROUPS;
  lane = id / GROUPS;
  if (scans)
    [[unroll]] for (uint j = 0; j < ACROSS; j++)
      [[unroll]] for (uint i = 0; i < OWN; i++) {
        uint n = lane * OWN + i, of_ = min(firstChannel + group * ACROSS + j, channels - 1);
        h[j][i] = n < STATES ? state[(slotOf(sequence) * channels + of_) * STATES + n] : 0.0;
        decays[i] = SSD != 0 || n >= STATES ? 0.0 : a[of_ * STATES + n] * 1.44269504;   // for powers of two
      }
  if (SERVERS > 0) {
    // In a turn a tile is brought, the one before it is gone through, and the one before that is finished.
    uint tiles = (length_ + STEPS - 1) / STEPS;
    if (serves) bring(0);
    for (uint t = 0; t < tiles + 2; t++) {
      if (serves) {
        if (t >= 2) finish((t - 2) * STEPS, t & 1);
        if (t < tiles) place(t * STEPS, t & 1);
        keep();
        if (t + 1 < tiles) bring((t + 1) * STEPS);
      } else if (t >= 1 && t <= tiles) scan((t - 1) & 1);
      barrier();
    }
  } else {
    bring(0);
    for (uint tile = 0; tile < length_; tile += STEPS) {
      place(tile, 0);
      keep();
      barrier();
      bring(tile + STEPS);
      scan(0);
      barrier();
      finish(tile, 0);
    }
  }
  if (scans)
    [[unroll]] for (uint j = 0; j < ACROSS; j++)
      [[unroll]] for (uint i = 0; i < OWN; i++) {
        uint n = lane * OWN + i, of_ = firstChannel + group * ACROSS + j;
        if (n < STATES && of_ < channels) state[(slotOf(sequence) * channels + of_) * STATES + n] = h[j][i];
      }
}
