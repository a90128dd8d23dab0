#version 450
// Picks a token from the last row of logits of each sequence as TokenPick (Runtime/Inference/TokenPick.cs) defines it, to the integer. What is summed are integers, so the order
// of sums is free. A workgroup a sequence: the largest logit first, which is all that a greedy pick needs and all that counts where a logit is not finite.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common.glsl"
#include "wide.glsl"
#include "tokens.glsl"

const uint THREADS = 256, GROUP = 16, AHEAD = 16;
layout(local_size_x = THREADS) in;
layout(binding = 1, std430) coherent buffer Logits { uint logits[]; };
layout(binding = 2, std430) readonly buffer Hidden { int hidden[]; };   // tokens that stand for nothing; then those that end a text
layout(binding = 3, std430) buffer Last { int last[]; };                // of each slot
layout(binding = 4, std430) buffer Picked { int picked[]; };            // of each sequence; behind them whether a logit is not finite
layout(push_constant) uniform Push {
  uint vocabulary, tokens;   // floats of a row, and tokens up to the last that stands for something
  uint unused, ends;         // how many of each are hidden
  uint sequencesAtMost;
};

const uint INFINITY = 0x7f800000u;
const int NOT_ASKED = -1, NOTHING = -2;
// What is summed over tokens: 1 for each; its weight; its weight at the draw if it is kept. EQUAL: of those only whose logit is the limit's.
const uint COUNT = 0, WEIGHT = 1, DRAW = 2, EQUAL = 4;

struct Pick { uint topK, topP, least, hides; float scale; uvec2 random; };
// Tokens up to a place in the order.
struct Limit { uint order, id; };

Pick pick;
uint row, maxBits;             // where the row begins
shared uint lows[THREADS], highs[THREADS], groupLows[GROUP], groupHighs[GROUP];   // a sum in parts
shared uint orders[THREADS], ids[THREADS], weights[THREADS];                      // tokens that are compared with one another
shared uint near, found, best, bestId, bad;
shared uvec2 passed;

uint thread() { return gl_LocalInvocationID.x; }
bool within(Limit limit, uint order, uint id) { return order < limit.order || (order == limit.order && id <= limit.id); }
uint logitOf(uint id) { return logits[row + id]; }

// The first token of the order, or `tokens` for none.
uint firstToken(out bool finite) {
  if (thread() == 0) {
    best = ~0u;
    bestId = tokens;
    bad = 0;
  }
  bool isBad = false;
  for (uint i = thread(); i < pick.hides; i += THREADS) {
    isBad = isBad || exponentOf(logitOf(hidden[i])) == 255;
    logits[row + hidden[i]] = HIDDEN;
  }
  memoryBarrierBuffer();
  barrier();
  uint order = ~0u, own = tokens;
  for (uint first = thread(); first < tokens; first += AHEAD * THREADS) {
    uint bits[AHEAD];   // on their way together; beyond the last the last again
    [[unroll]] for (uint i = 0; i < AHEAD; i++) bits[i] = logitOf(min(first + i * THREADS, tokens - 1));
    [[unroll]] for (uint i = 0; i < AHEAD; i++) {
      bool isSpecial = exponentOf(bits[i]) == 255;
      isBad = isBad || (isSpecial && bits[i] != HIDDEN);
      uint other = isSpecial && bits[i] != INFINITY ? ~0u : orderOf(bits[i]);
      if (other < order) {
        order = other;
        own = min(first + i * THREADS, tokens - 1);
      }
    }
  }
  atomicMin(best, order);
  if (isBad) bad = 1;
  barrier();
  if (order == best) atomicMin(bestId, own);
  barrier();
  finite = bad == 0;
  return bestId;
}

void clearParts() {
  barrier();
  lows[thread()] = 0;
  highs[thread()] = 0;
  barrier();
}
void addPart(uint part, uint v) {
  uint before = atomicAdd(lows[part], v);
  if (before + v < before) atomicAdd(highs[part], 1);
}
// The sum of all parts.
uvec2 totalParts() {
  barrier();
  if (thread() < GROUP) {
    uvec2 sum = uvec2(0);
    for (uint i = 0; i < GROUP; i++) sum = add64(sum, uvec2(lows[thread() * GROUP + i], highs[thread() * GROUP + i]));
    groupLows[thread()] = sum.x;
    groupHighs[thread()] = sum.y;
  }
  barrier();
  uvec2 total = uvec2(0);
  for (uint i = 0; i < GROUP; i++) total = add64(total, uvec2(groupLows[i], groupHighs[i]));
  return total;
}
// After totalParts: the first part with which the running sum exceeds `rest`, which is less than all and becomes what is left of it there.
uint partWith(inout uvec2 rest) {
  uint part = 0;
  for (; part < THREADS - GROUP; part += GROUP) {
    uvec2 sum = uvec2(groupLows[part / GROUP], groupHighs[part / GROUP]);
    if (less64(rest, sum)) break;
    rest = sub64(rest, sum);
  }
  for (uint end = part + GROUP - 1; part < end; part++) {
    uvec2 sum = uvec2(lows[part], highs[part]);
    if (less64(rest, sum)) break;
    rest = sub64(rest, sum);
  }
  return part;
}

// Code is inlined wherever it is called, so that what is long is called in few places.
uint measure(uint kind, Limit limit, uint id) {
  uint bits = logitOf(id), order = orderOf(bits);
  if (bits == HIDDEN || !within(limit, order, id) || ((kind & EQUAL) != 0 && order != limit.order)) return 0;
  if ((kind & ~EQUAL) == COUNT) return 1;
  uint own = 0, least = kind == DRAW ? pick.least : 0;
  for (uint pass = kind == DRAW && least == 0 ? 1 : 0; pass < (kind == DRAW ? 2 : 1); pass++) {
    own = weightOf(bits, maxBits, pass == 0 ? LOG2E : pick.scale);
    if (pass == 0 && own < least) return 0;
  }
  return own;
}

// The first token, in order of id, with which the running sum exceeds rest; at the draw that is a share of the sum.
uint tokenWith(uint kind, Limit limit, uvec2 rest) {
  uint each = (tokens + THREADS - 1) / THREADS;
  uvec2 sum = uvec2(0);
  for (uint id = thread() * each; id < min(tokens, (thread() + 1) * each); id++) sum = add64(sum, uvec2(measure(kind, limit, id), 0));
  barrier();
  lows[thread()] = sum.x;
  highs[thread()] = sum.y;
  uvec2 total = totalParts();
  if (kind == DRAW) rest = mulHigh64(total, pick.random);
  uint from = partWith(rest) * each, to = min(tokens, from + each);
  for (uint first = from; first < to; first += THREADS) {
    barrier();
    lows[thread()] = first + thread() < to ? measure(kind, limit, first + thread()) : 0;
    highs[thread()] = 0;
    total = totalParts();
    if (less64(rest, total)) return first + partWith(rest);
    rest = sub64(rest, total);
  }
  return tokens;
}

// Parts of an eighth of a power of two each, by the distance from the largest logit: no token of a later part is before one of an earlier.
uint partOf(uint bits) {
  precise float d = uintBitsToFloat(maxBits) - uintBitsToFloat(bits);
  return d < 22.0 ? uint(d * 11.5) : THREADS - 1;
}

// Brings tokens of parts up to one, or of that alone, to shared memory; how many there are, which may be more than there is room for.
uint gather(Limit limit, uint part, bool alone) {
  barrier();
  if (thread() == 0) near = 0;
  barrier();
  for (uint id = thread(); id < tokens; id += THREADS) {
    uint bits = logitOf(id);
    if (bits == HIDDEN || !within(limit, orderOf(bits), id)) continue;
    uint own = partOf(bits);
    if (own > part || (alone && own != part)) continue;
    uint at = atomicAdd(near, 1);
    if (at >= THREADS) continue;
    orders[at] = orderOf(bits);
    ids[at] = id;
  }
  barrier();
  return near;
}

// Of the token that a thread has of those gathered: the weights of all up to it, its own included, and how many come before it.
uvec2 compare(uint count, bool weighs, out uint rank) {
  if (thread() < count) weights[thread()] = weighs ? weightOf(bitsOf(orders[thread()]), maxBits, LOG2E) : 1;
  barrier();
  uvec2 covered = uvec2(0);
  rank = 0;
  if (thread() >= count) return covered;
  Limit own = Limit(orders[thread()], ids[thread()]);
  for (uint i = 0; i < count; i++) {
    if (!within(own, orders[i], ids[i])) continue;
    covered = add64(covered, uvec2(weights[i], 0));
    if (i != thread()) rank++;
  }
  return covered;
}

bool hasTopP() { return pick.topP > 0 && pick.topP < floatBitsToUint(1.0); }

// Picks among tokens that were gathered, of which the first topK are meant, and all of those are there.
uint pickNear(uint count) {
  uint rank, kept = min(pick.topK, count), own = thread() < count ? thread() : 0;
  uvec2 covered = compare(count, true, rank);
  if (thread() < count && rank == kept - 1) passed = covered;
  barrier();
  bool meant = thread() < count && rank < kept && weights[own] >= pick.least && (!hasTopP() || less64(sub64(covered, uvec2(weights[own], 0)), targetOf(passed, pick.topP)));
  uint draw = meant ? weightOf(bitsOf(orders[own]), maxBits, pick.scale) : 0;
  barrier();
  weights[thread()] = draw;
  barrier();
  uvec2 before = uvec2(0), total = uvec2(0);
  for (uint i = 0; i < count; i++) {
    total = add64(total, uvec2(weights[i], 0));
    if (ids[i] < ids[own]) before = add64(before, uvec2(weights[i], 0));
  }
  uvec2 rest = mulHigh64(total, pick.random);
  if (draw > 0 && !less64(rest, before) && less64(rest, add64(before, uvec2(draw, 0)))) found = ids[own];
  barrier();
  return found;
}

// Of a part too full to be compared: the order at which the running sum passes rest, eight bits at a time; what is left of rest there decides among equals.
uint orderWith(uint kind, Limit limit, uint part, inout uvec2 rest) {
  uint prefix = 0;
  for (int shift = 24; shift >= 0; shift -= 8) {
    clearParts();
    for (uint id = thread(); id < tokens; id += THREADS) {
      uint bits = logitOf(id), order = orderOf(bits);
      if (bits == HIDDEN || partOf(bits) != part || (shift < 24 && order >> (shift + 8) != prefix)) continue;
      uint own = measure(kind, limit, id);
      if (own > 0) addPart(order >> shift & 0xff, own);
    }
    totalParts();
    prefix = prefix << 8 | partWith(rest);
  }
  return prefix;
}

// Finds the last token that top-p (WEIGHT) or top-k (COUNT) keeps of those within a limit, which it becomes; or, of equals too many to be compared, their order, and returns true.
bool select(uint kind, inout Limit limit, out uvec2 rest) {
  clearParts();
  for (uint id = thread(); id < tokens; id += THREADS) {
    uint own = measure(kind, limit, id);
    if (own > 0) addPart(partOf(logitOf(id)), own);
  }
  uvec2 total = totalParts();
  rest = sub64(kind == WEIGHT ? targetOf(total, pick.topP) : uvec2(pick.topK, 0), uvec2(1, 0));
  if (!less64(rest, total)) return false;   // all of them are needed
  uint part = partWith(rest), count = gather(limit, part, true);
  if (count > THREADS) {
    uint order = orderWith(kind, limit, part, rest);
    if (limit.order != order) limit = Limit(order, tokens);
    return true;
  }
  uint rank;
  uvec2 covered = compare(count, kind == WEIGHT, rank);
  if (thread() < count && less64(rest, covered) && !less64(rest, sub64(covered, uvec2(weights[thread()], 0)))) passed = uvec2(orders[thread()], ids[thread()]);
  barrier();
  limit = Limit(passed.x, passed.y);
  barrier();
  return false;
}

uint pickToken() {
  bool finite;
  uint first = firstToken(finite);
  if (!finite && thread() == 0) picked[sequencesAtMost] = 1;
  if (!finite || first >= tokens || floatBitsToUint(pick.scale) == 0 || pick.topK == 1) return first;   // by its bits: a scale near 0 may count as 0 otherwise
  maxBits = logitOf(first);
  bool topK = pick.topK > 0 && pick.topK < tokens;
  Limit limit = Limit(~0u, tokens);
  if (topK && pick.topK <= THREADS) {
    clearParts();
    for (uint id = thread(); id < tokens; id += THREADS)
      if (logitOf(id) != HIDDEN) addPart(partOf(logitOf(id)), 1);
    uvec2 total = totalParts(), rest = uvec2(pick.topK - 1, 0);
    uint part = less64(rest, total) ? partWith(rest) : THREADS - 1, count = gather(limit, part, false);
    if (count <= THREADS) return pickNear(count);
  }
  uint id = tokens;
  for (uint kind = topK ? COUNT : hasTopP() ? WEIGHT : DRAW; kind <= DRAW; kind = kind == COUNT && hasTopP() ? WEIGHT : kind == DRAW ? DRAW + 1 : DRAW) {
    uvec2 rest = uvec2(0);
    if (kind != DRAW && !select(kind, limit, rest)) continue;
    id = tokenWith(kind == DRAW ? DRAW : kind | EQUAL, limit, rest);
    limit.id = id;
  }
  return id;
}

void main() {
  uint sequence = gl_WorkGroupID.x;
  if (sequence >= sequences()) return;
  uint at = batch[9] + 9 * sequence /* BatchTable.WritePick */, home = batch[at + 1];
  int ofRow = int(batch[at]);
  bool picks = ofRow >= 0 && slotOf(sequence) == home;
  if (!picks) {
    if (thread() == 0) picked[sequence] = NOT_ASKED;
    return;
  }
  row = uint(ofRow) * vocabulary;
  pick = Pick(batch[at + 2], batch[at + 3], batch[at + 4], batch[at + 5], uintBitsToFloat(batch[at + 6]), uvec2(batch[at + 7], batch[at + 8]));
  uint id = pickToken();
  if (thread() != 0) return;
  int token = id < tokens ? int(id) : NOTHING;
  bool isEnd = false;
  for (uint i = 0; i < ends; i++) isEnd = isEnd || hidden[unused + i] == token;
  picked[sequence] = token;
  // A run that was started meanwhile finds a token there in any case, and whether the text has ended with it.
  last[home] = isEnd ? ~token : max(token, 0);
}
