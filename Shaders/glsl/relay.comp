#version 450
// All of a step of one sequence in one dispatch. Its workgroups go through the same phases (RelayProgram.cs), each with its share of the rows or channels, and
// hand values on by memory, where 0 says that a value is not there yet (+0 goes as -0): who needs it reads it again and again. Runs take two places by turns, and
// who hands a value on clears where the run before had it. So each word says for itself whether it is there, no order of memory is asked for, and weights of a
// phase are on their way while its inputs are waited for.
// It ends only where all workgroups are under way together, which nothing promises: who has waited for too long says so, waits no more, and the run has failed.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_memory_scope_semantics : require
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
layout(constant_id = 12) const uint DT = 5;         // what rows of dt's projection are stored as, where all scans have one; NONE where none has, MIXED else
layout(constant_id = 13) const uint FEW = 0;        // whether what a subgroup multiplies is on its way at once, in all products but that of logits

layout(local_size_x_id = 1) in;
layout(binding = 1, std430) readonly buffer Program { uint program[]; };
layout(binding = 2, std430) buffer Exchange { uint exchange[]; };        // values of runs by turns, one behind the other
layout(binding = 2, std430) volatile readonly buffer Fours { uvec4 fours[]; };
layout(binding = 3, std430) buffer Verdict { uint verdict; };            // 1: somebody has waited for too long
layout(push_constant) uniform Push { uint mostPolls, phaseCount; uvec2 logits; uint valueCount; };

layout(buffer_reference, std430, buffer_reference_align = 16) readonly buffer Quads { uvec4 at[]; };
layout(buffer_reference, std430, buffer_reference_align = 8) readonly buffer Pairs { uvec2 at[]; };
layout(buffer_reference, std430, buffer_reference_align = 2) readonly buffer Shorts { uint16_t at[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) readonly buffer Floats { float at[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) buffer Kept { float at[]; };

const uint F32 = 0, F16 = 1, BF16 = 2, Q8_0 = 3, NONE = 4, MIXED = 5;
const uint Embeds = 0, Multiplies = 1, Scans = 2;                        // kinds of phases
const uint Normed = 1, Gated = 2;                                        // inputs of a product
const uint Adds = 1, HasBias = 2, Convolves = 4, HasConvBias = 8, IsLast = 16;
const uint WORDS = 32, MOST = 4;    // of a phase, and of TOGETHER
const uint OWN = (STATES + SHARING - 1) / SHARING;
const bool TWICE = ROOM > 4 * THREADS;    // whether a thread brings more than four values

// Words of a phase, as RelayProgram.cs writes them.
const uint Kind = 0, RowCount = 1, ColumnCount = 2, Form = 3, Weight = 4, Scales = 6, ToAt = 8, UAt = 9, Channels = 10, Scale = 11;
const uint Input = 12, XAt = 13, GateAt = 14, Flags = 15, NormWeight = 16, Epsilon = 18, ResidualAt = 19, Bias = 20, ConvFirst = 24, TapCount = 25, Taps = 26, ConvBias = 28, Window = 30;
const uint DtAt = 12, BAt = 13, CAt = 14, ZAt = 15, A = 16, D = 18, DtBias = 20, State = 22, HeadDim = 24, HeadsOfGroup = 25, BCount = 26;

shared vec4 xs[ROOM / 4];                  // of a product: the first quads of all units, then the second ones; of a scan: dt's inputs, B and C
shared float squares[THREADS / LANES];   // a sum of each subgroup
shared uint phases[2 * WORDS], isOver;

uint slot, here, now, before;
bool waits = true;

uint word(uint k) { return phases[here + k]; }
uvec2 address(uint k) { return uvec2(phases[here + k], phases[here + k + 1]); }
float number(uint k) { return uintBitsToFloat(phases[here + k]); }

uint look(uint at) { return atomicLoad(exchange[now + at], gl_ScopeDevice, 0, gl_SemanticsRelaxed); }
uvec4 lookAtFour(uint four) { return fours[now / 4 + four]; }
void hand(uint at, float v) {
  uint bits = floatBitsToUint(v);
  atomicStore(exchange[now + at], bits == 0 ? 0x80000000u : bits, gl_ScopeDevice, 0, gl_SemanticsRelaxed);
  exchange[before + at] = 0;
}

// Whether to look once more.
bool again(inout uint polls) {
  if (++polls < mostPolls) return waits;
  atomicStore(verdict, 1u, gl_ScopeDevice, 0, gl_SemanticsRelaxed);
  waits = false;
  return false;
}

// A value that was looked at already, as it was likely to be there.
float taken(uint seen, uint at) {
  for (uint polls = 0; seen == 0 && again(polls);) seen = look(at);
  return uintBitsToFloat(seen);
}

// Four values as products read them: normed but for the mean, or gated. Their squares are what a mean is made of.
float put(uvec4 x, uvec4 gate, uvec4 weight, bool gated, uint quad, uint columns, uint quads, uint padded) {
  if (quad >= padded * quads) return 0.0;
  vec4 v = quad < columns / 4 ? uintBitsToFloat(x) : vec4(0.0), g = uintBitsToFloat(gate);
  if (gated) v *= vec4(silu(g.x), silu(g.y), silu(g.z), silu(g.w));
  xs[quad % quads * padded + quad / quads] = v * uintBitsToFloat(weight);
  return dot(v, v);
}

// Brings values to shared memory.
void bring(uint columns, uint quads, uint padded, uint id) {
  uint kind = word(Input), from = word(XAt) / 4, gate = word(GateAt) / 4;
  bool gated = SSD != 0 && kind == Gated, missing;
  Quads weight = Quads(address(NormWeight));
  float square = 0.0;
  for (uint first = id; first < padded * quads; first += 2 * THREADS) {
    // Not loops: what is read one after the other must stay in registers. Nor choices, beyond the last column the last is read again: one read for which there is a
    // choice is waited for before the next (mamba-130m on an H200: 2,925 tokens/s with, 3,220 without).
    const uvec4 None = uvec4(1), One = uvec4(0x3f800000);
    uvec4 w = One, w2 = One, x, x2 = None, g = None, g2 = None;
    uint at = min(first, columns / 4 - 1), at2 = min(first + THREADS, columns / 4 - 1), polls = 0;
    if (kind != 0) {
      w = weight.at[at];
      if (TWICE) w2 = weight.at[at2];
    }
    do {
      x = lookAtFour(from + at);
      if (TWICE) x2 = lookAtFour(from + at2);
      if (gated) {
        g = lookAtFour(gate + at);
        if (TWICE) g2 = lookAtFour(gate + at2);
      }
      missing = any(equal(x, uvec4(0))) || any(equal(g, uvec4(0))) || any(equal(x2, uvec4(0))) || any(equal(g2, uvec4(0)));
    } while (missing && again(polls));
    square += put(x, g, w, gated, first, columns, quads, padded);
    if (TWICE) square += put(x2, g2, w2, gated, first + THREADS, columns, quads, padded);
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

#include "relay_product.glsl"
#include "relay_scan.glsl"

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

// The next phase takes the place of the last.
void putDown(uint next, uint id) {
  if (id < WORDS) phases[WORDS - here + id] = next;
}

void main() {
  uint id = gl_SubgroupID * gl_SubgroupSize + gl_SubgroupInvocationID, lane = gl_SubgroupInvocationID;
  slot = slotOf(0);
  now = batch[10] * valueCount;
  before = valueCount - now;
  if (id == 0) isOver = atomicLoad(verdict, gl_ScopeDevice, 0, gl_SemanticsRelaxed);
  if (id < WORDS) phases[id] = program[id];
  barrier();
  if (isOver != 0) return;   // others have waited in vain already
  for (uint phase = 0; phase < phaseCount; phase++) {
    here = phase % 2 * WORDS;
    uint kind = word(Kind), next = id < WORDS && phase + 1 < phaseCount ? program[(phase + 1) * WORDS + id] : 0;   // which is on its way until it is put down
    // Each kind by itself: where kinds come together what is on its way is waited for (3,295 tokens/s so, 3,485 as it is).
    if (kind == Multiplies) {
      beginProduct(lane);
      barrier();
      bring(word(ColumnCount), quadsOfUnit(), groupsOfRow() * TOGETHER * LANES, id);
      putDown(next, id);
      barrier();
      if (FEW != 0 && p.few) multiplyFew(lane);
      else multiply(lane);
    } else if (kind == Scans) {
      readChannel(min(channelNumber(id), word(Channels) - 1), id % SHARING);
      barrier();
      bringReads(id);
      putDown(next, id);
      barrier();
      scan(id);
    } else {
      barrier();
      putDown(next, id);
      barrier();
      embed(id);
    }
  }
}
