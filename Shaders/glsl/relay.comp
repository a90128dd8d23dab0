#version 450
// All of a step of one sequence in one dispatch. Its workgroups go through the same phases (RelayProgram.cs), each with its share of the rows or channels, and
// hand values on by memory: a value is stored together with the number of the run, in 64 bits at once, and who needs it reads it again and again until that
// number stands there. So no order of memory is asked for beyond that of one number, and weights of a phase are on their way while its inputs are waited for.
// It ends only where all workgroups are under way together, which nothing promises: who has waited for too long says so, waits no more, and the run has failed.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_EXT_shader_atomic_int64 : require
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_buffer_reference_uvec2 : require
#extension GL_EXT_shader_16bit_storage : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "common.glsl"

layout(constant_id = 1) const uint THREADS = 256;
layout(constant_id = 2) const uint LANES = 32;      // threads of a subgroup
layout(constant_id = 3) const uint ROOM = 1024;     // values of x that a phase reads, with padding
layout(constant_id = 4) const uint HALVES = 1;      // what 16-bit weights are: F16 or BF16
layout(constant_id = 5) const uint BYTES = 0;       // whether there are weights of Q8_0
layout(constant_id = 6) const uint STATES = 16;     // of a channel
layout(constant_id = 7) const uint SHARING = 16;    // threads that share a channel of a scan: a power of two, not more than a subgroup
layout(constant_id = 8) const uint SSD = 0;         // Mamba-2: a decay a head, B and C a group; else a gate
layout(constant_id = 9) const uint TOGETHER = 4;    // sixteen bytes of a row of weights that a thread reads at once, 1 to 4; a row is so many groups of these, the last may be more than there is
layout(constant_id = 10) const uint EVEN = 0;       // whether it never is
layout(constant_id = 11) const uint TAPS = 0;       // of convolutions, where all have four; else 0

layout(local_size_x_id = 1) in;
layout(binding = 1, std430) readonly buffer Program { uint program[]; };
layout(binding = 2, std430) buffer Exchange { uint64_t exchange[]; };    // of each value its bits and the number of the run
layout(binding = 3, std430) buffer Verdict { uint verdict; };            // 1: somebody has waited for too long
layout(push_constant) uniform Push { uint mostPolls, phaseCount; uvec2 logits; };

layout(buffer_reference, std430, buffer_reference_align = 16) readonly buffer Quads { uvec4 at[]; };
layout(buffer_reference, std430, buffer_reference_align = 8) readonly buffer Pairs { uvec2 at[]; };
layout(buffer_reference, std430, buffer_reference_align = 2) readonly buffer Shorts { uint16_t at[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) readonly buffer Floats { float at[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) buffer Kept { float at[]; };

const uint F32 = 0, F16 = 1, BF16 = 2, Q8_0 = 3;
const uint Embeds = 0, Multiplies = 1, Scans = 2;                        // kinds of phases
const uint Normed = 1, Gated = 2;                                        // inputs of a product
const uint Adds = 1, HasBias = 2, Convolves = 4, HasConvBias = 8, IsLast = 16;
const uint WORDS = 32, MOST = 4;    // of a phase, and of TOGETHER
const uint OWN = (STATES + SHARING - 1) / SHARING;

// Words of a phase, as RelayPhase.cs has them.
const uint Kind = 0, RowCount = 1, ColumnCount = 2, Form = 3, Weight = 4, Scales = 6, ToAt = 8, UAt = 9, Channels = 10, Scale = 11;
const uint Input = 12, XAt = 13, GateAt = 14, Flags = 15, NormWeight = 16, Epsilon = 18, ResidualAt = 19, Bias = 20, ConvFirst = 24, TapCount = 25, Taps = 26, ConvBias = 28, Window = 30;
const uint DtAt = 12, BAt = 13, CAt = 14, ZAt = 15, A = 16, D = 18, DtBias = 20, State = 22, HeadDim = 24, HeadsOfGroup = 25, BCount = 26;

shared vec4 xs[ROOM / 4];                  // of a product: the first quads of all units, then the second ones; of a scan: dt's inputs, B and C
shared float squares[THREADS / LANES];   // a sum of each subgroup
shared uint phases[2 * WORDS], isOver;

uint run, slot, here;
bool waits = true;

uint word(uint k) { return phases[here + k]; }
uvec2 address(uint k) { return uvec2(phases[here + k], phases[here + k + 1]); }
float number(uint k) { return uintBitsToFloat(phases[here + k]); }

uvec2 look(uint at) { return unpackUint2x32(atomicLoad(exchange[at], gl_ScopeDevice, 0, gl_SemanticsRelaxed)); }
void hand(uint at, float v) { atomicStore(exchange[at], packUint2x32(uvec2(floatBitsToUint(v), run)), gl_ScopeDevice, 0, gl_SemanticsRelaxed); }

// Whether to look once more.
bool again(inout uint polls) {
  if (++polls < mostPolls) return waits;
  atomicStore(verdict, 1u, gl_ScopeDevice, 0, gl_SemanticsRelaxed);
  waits = false;
  return false;
}

// A value that was looked at already, as it was likely to be there.
float taken(uvec2 seen, uint at) {
  for (uint polls = 0; seen.y != run && again(polls);) seen = look(at);
  return uintBitsToFloat(seen.x);
}

// Brings values to shared memory as products read them, normed but for the mean, or gated.
void bring(uint columns, uint quads, uint padded, uint id) {
  uint kind = word(Input), from = word(XAt), gate = word(GateAt);
  Floats weight = Floats(address(NormWeight));
  float square = 0.0;
  for (uint first = id; first < padded * quads * 4; first += 4 * THREADS) {
    // Not loops: what is read one after the other must stay in registers.
    float w0 = 1.0, w1 = 1.0, w2 = 1.0, w3 = 1.0;
    uvec2 s0, s1, s2, s3, g0, g1, g2, g3;
#define WEIGH(w, c) if (kind != 0 && c < columns) w = weight.at[c];
#define LOOK(s, g, c) { s = g = uvec2(0, run); if (c < columns) { s = look(from + c); if (kind == Gated) g = look(gate + c); } }
#define PUT(s, g, w, c) if (c < padded * quads * 4) { \
      float v = uintBitsToFloat(s.x); \
      if (kind == Gated) v *= silu(uintBitsToFloat(g.x)); \
      square += v * v; \
      uint quad = c / 4; \
      xs[quad % quads * padded + quad / quads][c % 4] = v * w; }
    uint c0 = first, c1 = first + THREADS, c2 = first + 2 * THREADS, c3 = first + 3 * THREADS, polls = 0;
    WEIGH(w0, c0) WEIGH(w1, c1) WEIGH(w2, c2) WEIGH(w3, c3)
    uvec4 x, z;
    do {
      LOOK(s0, g0, c0) LOOK(s1, g1, c1) LOOK(s2, g2, c2) LOOK(s3, g3, c3)
      x = uvec4(s0.y, s1.y, s2.y, s3.y);
      z = uvec4(g0.y, g1.y, g2.y, g3.y);
    } while ((any(notEqual(x, uvec4(run))) || any(notEqual(z, uvec4(run)))) && again(polls));
    PUT(s0, g0, w0, c0) PUT(s1, g1, w1, c1) PUT(s2, g2, w2, c2) PUT(s3, g3, w3, c3)
  }
  square = subgroupAdd(square);
  if (gl_SubgroupInvocationID == 0) squares[gl_SubgroupID] = square;
}

vec2 halves(uint bits) { return HALVES == F16 ? unpackHalf2x16(bits) : vec2(uintBitsToFloat(bits << 16), uintBitsToFloat(bits & 0xffff0000u)); }

// Four signed bytes: raised to 0 to 255 they are the low bits of halves from 1,024 on.
vec4 signedBytes(uint four) {
  uint biased = four ^ 0x80808080u;
  vec2 even = unpackHalf2x16(biased & 0x00ff00ffu | 0x64006400u), odd = unpackHalf2x16(biased >> 8 & 0x00ff00ffu | 0x64006400u);
  return vec4(even.x, odd.x, even.y, odd.y) - 1152.0;
}

// What a row's product becomes: read ahead for the row that a thread finishes first.
struct Ends { float bias, added; vec4 taps, past; uvec2 residual; };   // taps and values of the window: the latest first

bool convolves(uint row) { return (word(Flags) & Convolves) != 0 && row - word(ConvFirst) < word(Channels); }

Ends endsOf(uint row) {
  Ends e;
  uint flags = word(Flags), channel = row - word(ConvFirst), taps = word(TapCount), window = (slot * word(Channels) + channel) * (taps - 1);
  e.bias = (flags & HasBias) != 0 ? Floats(address(Bias)).at[row] : 0.0;
  e.residual = (flags & Adds) != 0 ? look(word(ResidualAt) + row) : uvec2(0, run);
  if (!convolves(row)) return e;
  e.added = (flags & HasConvBias) != 0 ? Floats(address(ConvBias)).at[channel] : 0.0;
  if (TAPS == 4) {
    e.taps = uintBitsToFloat(Quads(address(Taps)).at[channel].wzyx);
    e.past = vec4(Kept(address(Window)).at[window + 2], Kept(address(Window)).at[window + 1], Kept(address(Window)).at[window], 0.0);
    return e;
  }
#define TAP(t) if (t < taps) e.taps[t] = Floats(address(Taps)).at[channel * taps + taps - 1 - t]; if (t + 1 < taps) e.past[t] = Kept(address(Window)).at[window + taps - 2 - t];
  e.taps = e.past = vec4(0.0);
  TAP(0) TAP(1) TAP(2) TAP(3)
  return e;
}

void finish(uint row, Ends e, float product) {
  float v = (product + e.bias) * number(Scale);
  if (!convolves(row)) {
    if ((word(Flags) & Adds) != 0) v += taken(e.residual, word(ResidualAt) + row);
    if ((word(Flags) & IsLast) != 0) Kept(logits).at[row] = v;
    else hand(word(ToAt) + row, v);
    return;
  }
  uint channel = row - word(ConvFirst), taps = word(TapCount), window = (slot * word(Channels) + channel) * (taps - 1);
  float convolved = e.added + e.taps.x * v + dot(e.taps.yzw, e.past.xyz);
  hand(word(UAt) + channel, silu(convolved));
  Kept kept = Kept(address(Window));
  if (taps > 1) kept.at[window + taps - 2] = v;
  if (taps > 2) kept.at[window + taps - 3] = e.past.x;
  if (taps > 3) kept.at[window + taps - 4] = e.past.y;
}

// A product. A subgroup takes every so many rows, one after the other; weights that are on their way go over from one row to the next.
uint worker() { return gl_SubgroupID * gl_NumWorkGroups.x + gl_WorkGroupID.x; }
uint workers() { return THREADS / LANES * gl_NumWorkGroups.x; }
bool ofBytes() { return BYTES != 0 && word(Form) == Q8_0; }
uint quadsOfUnit() { return ofBytes() ? 4 : 2; }
uint unitsOfRow() { return word(ColumnCount) / (4 * quadsOfUnit()); }
uint groupsOfRow() { return (unitsOfRow() + TOGETHER * LANES - 1) / (TOGETHER * LANES); }

// What a thread has on its way: two groups, and where the next is.
struct Product { uvec4 raw[2 * MOST]; uint scale[2 * MOST], row, group; Ends ends; } p;

// Not loops: what is on its way must stay in registers, and nothing may stand between one and the next.
#define FETCH(b, i) if (i < TOGETHER) { \
    uint unit = first + i * LANES; \
    if (EVEN == 0) unit = min(unit, end); \
    p.raw[b + i] = weights.at[unit]; \
    if (bytes) p.scale[b + i] = uint(scales.at[unit >> 1]); }
#define FETCH_GROUP(b) if (p.row < rows) { \
    uint first = p.row * units + p.group * (TOGETHER * LANES) + lane, end = p.row * units + units - 1; \
    FETCH(b, 0) FETCH(b, 1) FETCH(b, 2) FETCH(b, 3) \
    if (++p.group == groups) { p.group = 0; p.row += workers(); } }

void beginProduct(uint lane) {
  uint rows = word(RowCount), units = unitsOfRow(), groups = groupsOfRow(), own = worker() + lane * workers();
  bool bytes = ofBytes();
  Quads weights = Quads(address(Weight));
  Shorts scales = Shorts(address(Scales));
  p.row = worker();
  p.group = 0;
  FETCH_GROUP(0)
  FETCH_GROUP(MOST)
  if (own < rows) p.ends = endsOf(own);
}

float meanOfSquares() {
  float all = 0.0;
  [[unroll]] for (uint i = 0; i < THREADS / LANES; i++) all += squares[i];
  return rootReciprocal(all / float(word(ColumnCount)) + number(Epsilon));
}

float timesUnit(uvec4 raw, uint scale, uint of, uint padded, bool bytes) {
  if (bytes)
    return unpackHalf2x16(scale).x * (dot(signedBytes(raw.x), xs[of]) + dot(signedBytes(raw.y), xs[padded + of]) + dot(signedBytes(raw.z), xs[2 * padded + of]) + dot(signedBytes(raw.w), xs[3 * padded + of]));
  return dot(vec4(halves(raw.x), halves(raw.y)), xs[of]) + dot(vec4(halves(raw.z), halves(raw.w)), xs[padded + of]);
}

void multiply(uint lane) {
  uint units = unitsOfRow(), groups = groupsOfRow(), padded = groups * TOGETHER * LANES, rows = word(RowCount);
  bool bytes = ofBytes();
  Quads weights = Quads(address(Weight));
  Shorts scales = Shorts(address(Scales));
  float mean = word(Input) != 0 ? meanOfSquares() : 1.0, sum = 0.0, result = 0.0;
  // Of the rows of a subgroup each thread finishes one, as soon as the next groups might yield more than there are threads.
  for (uint row = worker(), group = 0, made = 0, done = 0; row < rows;) {
#define TIMES(b, i) if (i < TOGETHER) sum += timesUnit(p.raw[b + i], p.scale[b + i], of + i * LANES, padded, bytes);
#define GROUP(b) { \
      uint of = group * (TOGETHER * LANES) + lane; \
      TIMES(b, 0) TIMES(b, 1) TIMES(b, 2) TIMES(b, 3) \
      FETCH_GROUP(b) \
      if (++group == groups) { \
        float whole = subgroupAdd(sum); \
        if (made % LANES == lane) result = whole; \
        sum = 0.0; \
        group = 0; \
        made++; \
        row += workers(); \
      } }
    GROUP(0)
    if (row < rows) GROUP(MOST)
    if (made - done + 2 <= LANES && row < rows) continue;
    uint number = done + (lane - done) % LANES, finished = worker() + number * workers();
    if (number < made) {
      if (number != lane) p.ends = endsOf(finished);
      finish(finished, p.ends, result * mean);
    }
    done = made;
  }
}

// Eight values of a row of dt's projection, as they are stored.
struct Eight { uvec4 low, high; uint scale; };
Eight eightAt(uint value) {
  Eight e;
  uint form = word(Form);
  if (form == F32) {
    e.low = Quads(address(Weight)).at[value >> 2];
    e.high = Quads(address(Weight)).at[(value >> 2) + 1];
  } else if (form == Q8_0) {
    e.low.xy = Pairs(address(Weight)).at[value >> 3];
    e.scale = uint(Shorts(address(Scales)).at[value >> 5]);
  } else e.low = Quads(address(Weight)).at[value >> 3];
  return e;
}
float times(Eight e, vec4 f, vec4 g) {
  uint form = word(Form);
  if (form == F32) return dot(uintBitsToFloat(e.low), f) + dot(uintBitsToFloat(e.high), g);
  if (form == Q8_0) return unpackHalf2x16(e.scale).x * (dot(signedBytes(e.low.x), f) + dot(signedBytes(e.low.y), g));
  return dot(vec4(halves(e.low.x), halves(e.low.y)), f) + dot(vec4(halves(e.low.z), halves(e.low.w)), g);
}

float sumOfSharing(float v) {
  for (uint other = 1; other < SHARING; other *= 2) v += subgroupShuffleXor(v, other);
  return v;
}

// What a channel's step reads beside dt, B and C.
struct Channel { float h[OWN], decays[OWN], skip, bias, decayOfHead; uvec2 u, z, dt; Eight weights; } c;

uint headOf(uint channel) { return SSD != 0 ? channel / word(HeadDim) : channel; }
uint stateOf(uint channel) { return (slot * word(Channels) + channel) * STATES; }

void readChannel(uint channel, uint lane) {
  uint head = headOf(channel), states = stateOf(channel), rank = word(ColumnCount);
  [[unroll]] for (uint i = 0; i < OWN; i++) {
    uint n = min(lane + SHARING * i, STATES - 1);
    c.h[i] = Kept(address(State)).at[states + n];
    c.decays[i] = SSD != 0 ? 0.0 : Floats(address(A)).at[channel * STATES + n];
  }
  c.skip = Floats(address(D)).at[head];
  c.bias = Floats(address(DtBias)).at[head];
  c.decayOfHead = SSD != 0 ? Floats(address(A)).at[head] : 0.0;
  c.u = look(word(UAt) + channel);
  c.z = SSD != 0 ? uvec2(0, run) : look(word(ZAt) + channel);
  c.dt = rank == 0 ? look(word(DtAt) + head) : uvec2(0, run);
  if (8 * lane < rank) c.weights = eightAt(channel * rank + 8 * lane);
}

// A step of a recurrence. Threads that share a channel are neighbours, each with some of its states; dt's projection, where it has a rank, is made here.
uint channelNumber(uint id) { return id / SHARING * gl_NumWorkGroups.x + gl_WorkGroupID.x; }

void bringReads(uint id) {
  uint rank = word(ColumnCount), count = word(BCount);
  for (uint i = id; i < rank + 2 * count; i += THREADS) {
    uint at = i < rank ? word(DtAt) + i : i < rank + count ? word(BAt) + i - rank : word(CAt) + i - rank - count;
    xs[i / 4][i % 4] = taken(look(at), at);
  }
}

void scan(uint id) {
  uint lane = id % SHARING, channels = word(Channels), rank = word(ColumnCount), count = word(BCount), together = THREADS / SHARING * gl_NumWorkGroups.x;
  uint numbered = channelNumber(id), channel = min(numbered, channels - 1);
  for (uint first = 0; first < channels; first += together) {
    if (first != 0) {
      channel = min(first + numbered, channels - 1);
      readChannel(channel, lane);
    }
    bool owns = first + numbered < channels;
    uint head = headOf(channel), states = stateOf(channel), bc = SSD != 0 ? head / word(HeadsOfGroup) * STATES : 0;
    float dt = 0.0;
    for (uint column = 8 * lane; column < rank; column += 8 * SHARING) {
      if (column != 8 * lane) c.weights = eightAt(channel * rank + column);
      dt += times(c.weights, xs[column / 4], xs[column / 4 + 1]);
    }
    dt = rank == 0 ? taken(c.dt, word(DtAt) + head) : sumOfSharing(dt);
    float delta = softplus(dt + c.bias), decay = exp(delta * c.decayOfHead), in_ = taken(c.u, word(UAt) + channel), sum = 0.0;
    [[unroll]] for (uint i = 0; i < OWN; i++) {
      uint n = lane + SHARING * i;
      if (n < STATES) {
        uint at = rank + bc + n, other = at + count;
        float h = c.h[i] * (SSD != 0 ? decay : exp(delta * c.decays[i])) + delta * in_ * xs[at / 4][at % 4];
        sum += h * xs[other / 4][other % 4];
        if (owns) Kept(address(State)).at[states + n] = h;
      }
    }
    sum = sumOfSharing(sum) + c.skip * in_;
    if (lane == 0 && owns) hand(word(ToAt) + channel, SSD != 0 ? sum : sum * silu(taken(c.z, word(ZAt) + channel)));
  }
}

// The row of the token's table, shared out among all threads.
void embed(uint id) {
  uint columns = word(ColumnCount), form = word(Form), row = tokenOf(0) * columns;
  for (uint i = gl_WorkGroupID.x * THREADS + id; i < columns; i += THREADS * gl_NumWorkGroups.x) {
    uint at = row + i;
    float v;
    if (form == F32) v = Floats(address(Weight)).at[at];
    else if (form == Q8_0) v = unpackHalf2x16(uint(Shorts(address(Scales)).at[at >> 5])).x * float(bitfieldExtract(int(Shorts(address(Weight)).at[at >> 1]), int(at & 1) * 8, 8));
    else v = halves(uint(Shorts(address(Weight)).at[at])).x;
    hand(word(ToAt) + i, v * number(Scale));
  }
}

void main() {
  uint id = gl_SubgroupID * gl_SubgroupSize + gl_SubgroupInvocationID, lane = gl_SubgroupInvocationID;
  run = batch[10];
  slot = slotOf(0);
  if (id == 0) isOver = atomicLoad(verdict, gl_ScopeDevice, 0, gl_SemanticsRelaxed);
  if (id < WORDS) phases[id] = program[id];
  barrier();
  if (isOver != 0) return;   // others have waited in vain already
  for (uint phase = 0; phase < phaseCount; phase++) {
    here = phase % 2 * WORDS;
    uint kind = word(Kind), next = id < WORDS && phase + 1 < phaseCount ? program[(phase + 1) * WORDS + id] : 0;   // which is on its way until it is put down
    if (kind == Multiplies) beginProduct(lane);
    if (kind == Scans) readChannel(min(channelNumber(id), word(Channels) - 1), id % SHARING);
    barrier();
    if (kind == Multiplies) bring(word(ColumnCount), quadsOfUnit(), groupsOfRow() * TOGETHER * LANES, id);
    if (kind == Scans) bringReads(id);
    if (id < WORDS) phases[WORDS - here + id] = next;
    barrier();
    if (kind == Multiplies) multiply(lane);
    else if (kind == Scans) scan(id);
    else embed(id);
  }
}
