// Products of a step in one dispatch (relay.comp), with what becomes of their rows: residual, bias, convolution, logits.

// What a row's product becomes: read ahead for the row that a thread finishes first, and all words of the phase with it.
struct Ends { float bias, added, scale; vec4 taps, past; uint residual, flags, at, window; };   // taps and values of the window: the latest first

Ends endsOf(uint row) {
  Ends e;
  uint channel = row - word(ConvFirst), channels = word(Channels), taps = word(TapCount);
  e.flags = word(Flags);
  e.scale = number(Scale);
  e.at = word(ToAt) + row;
  e.bias = 0.0;
  e.residual = 1;
  e.added = 0.0;
  if ((e.flags & HasBias) != 0) e.bias = Floats(address(Bias)).at[row];
  if ((e.flags & Adds) != 0) e.residual = look(word(ResidualAt) + row);
  if ((e.flags & Convolves) == 0) return e;
  if (channel < channels) e.at = word(UAt) + channel;
  else {
    e.flags ^= Convolves;
    channel = 0;
  }
  e.window = (slot * channels + channel) * (taps - 1);
  if ((e.flags & HasConvBias) != 0) e.added = Floats(address(ConvBias)).at[channel];
  if (TAPS == 4) {
    e.taps = uintBitsToFloat(Quads(address(Taps)).at[channel].wzyx);
    e.past = vec4(Kept(address(Window)).at[e.window + 2], Kept(address(Window)).at[e.window + 1], Kept(address(Window)).at[e.window], 0.0);
    return e;
  }
#define TAP(t) if (t < taps) e.taps[t] = Floats(address(Taps)).at[channel * taps + taps - 1 - t]; if (t + 1 < taps) e.past[t] = Kept(address(Window)).at[e.window + taps - 2 - t];
  e.taps = e.past = vec4(0.0);
  TAP(0) TAP(1) TAP(2) TAP(3)
  return e;
}

void finish(uint row, Ends e, float product) {
  float v = (product + e.bias) * e.scale;
  if ((e.flags & Convolves) == 0) {
    if ((e.flags & Adds) != 0) v += taken(e.residual, word(ResidualAt) + row);
    if ((e.flags & IsLast) != 0) Kept(logits).at[row] = v;
    else hand(e.at, v);
    return;
  }
  uint taps = word(TapCount);
  hand(e.at, silu(e.added + e.taps.x * v + dot(e.taps.yzw, e.past.xyz)));
  Kept kept = Kept(address(Window));
  if (taps > 1) kept.at[e.window + taps - 2] = v;
  if (taps > 2) kept.at[e.window + taps - 3] = e.past.x;
  if (taps > 3) kept.at[e.window + taps - 4] = e.past.y;
}

// A product. A subgroup takes every so many rows, one after the other; weights that are on their way go over from one row to the next.
uint worker() { return gl_SubgroupID * gl_NumWorkGroups.x + gl_WorkGroupID.x; }
uint workers() { return THREADS / LANES * gl_NumWorkGroups.x; }
bool ofBytes() { return BYTES != 0 && word(Form) == Q8_0; }
uint quadsOfUnit() { return ofBytes() ? 4 : 2; }
uint unitsOfRow() { return word(ColumnCount) / (4 * quadsOfUnit()); }
uint groupsOfRow() { return (unitsOfRow() + TOGETHER * LANES - 1) / (TOGETHER * LANES); }

// What a thread has on its way: two groups, and where the next is. Few: those are all that its subgroup has.
struct Product { uvec4 raw[2 * MOST]; uint scale[2 * MOST], row, group, groups, own; bool few; Ends ends; } p;   // own: the row of the ends

// Not loops: what is on its way must stay in registers, and nothing may stand between one and the next; who has no rows left reads the first sixteen bytes again.
#define FETCH(b, i) if (i < TOGETHER) { \
    uint unit = first + i * apart; \
    if (EVEN == 0) unit = min(unit, end); \
    p.raw[b + i] = weights.at[unit]; \
    if (bytes) p.scale[b + i] = uint(scales.at[unit >> 1]); }
#define FETCH_GROUP(b) { \
    bool has = p.row < rows; \
    uint first = has ? p.row * units + p.group * (TOGETHER * LANES) + lane : 0, apart = has ? LANES : 0, end = has ? p.row * units + units - 1 : 0; \
    FETCH(b, 0) FETCH(b, 1) FETCH(b, 2) FETCH(b, 3) \
    if (++p.group == groups) { p.group = 0; p.row += workers(); } }

void beginProduct(uint lane) {
  uint rows = word(RowCount), units = unitsOfRow(), groups = groupsOfRow();
  bool bytes = ofBytes();
  Quads weights = Quads(address(Weight));
  Shorts scales = Shorts(address(Scales));
  p.row = worker();
  p.group = 0;
  FETCH_GROUP(0)
  FETCH_GROUP(MOST)
  p.groups = groups;
  p.few = FEW != 0 && (groups == 1 ? rows <= 2 * workers() : groups == 2 && rows <= workers());
  p.own = worker() + (p.few ? lane < LANES / 2 ? 0 : groups == 2 ? rows : workers() : lane * workers());
  p.ends = endsOf(min(p.own, rows - 1));
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

#define TIMES(sum, b, i, of) if (i < TOGETHER) sum += timesUnit(p.raw[b + i], p.scale[b + i], of + i * LANES, padded, bytes);

// A row of two groups, or two rows of one, of which halves of the subgroup have the sums: mamba-130m's 3,936 tokens/s on an H200, 3,601 without.
void multiplyFew(uint lane) {
  uint padded = p.groups * TOGETHER * LANES, second = padded - TOGETHER * LANES + lane;
  bool bytes = ofBytes();
  float a = 0.0, b = 0.0;
  TIMES(a, 0, 0, lane) TIMES(a, 0, 1, lane) TIMES(a, 0, 2, lane) TIMES(a, 0, 3, lane)
  TIMES(b, MOST, 0, second) TIMES(b, MOST, 1, second) TIMES(b, MOST, 2, second) TIMES(b, MOST, 3, second)
  if (p.groups == 2) a = b = a + b;
  a += subgroupShuffleXor(a, LANES / 2);
  b += subgroupShuffleXor(b, LANES / 2);
  float sum = lane < LANES / 2 ? a : b;
  [[unroll]] for (uint other = LANES / 4; other > 0; other /= 2) sum += subgroupShuffleXor(sum, other);
  float mean = word(Input) != 0 ? meanOfSquares() : 1.0;
  if (lane % (LANES / 2) == 0 && p.own < word(RowCount)) finish(p.own, p.ends, sum * mean);
}

void multiply(uint lane) {
  uint units = unitsOfRow(), groups = groupsOfRow(), padded = groups * TOGETHER * LANES, rows = word(RowCount);
  bool bytes = ofBytes();
  Quads weights = Quads(address(Weight));
  Shorts scales = Shorts(address(Scales));
  float mean = word(Input) != 0 ? meanOfSquares() : 1.0, sum = 0.0, result = 0.0;
  // Of the rows of a subgroup each thread finishes one, as soon as the next groups might yield more than there are threads.
  for (uint row = worker(), group = 0, made = 0, done = 0; row < rows;) {
#define GROUP(b) { \
      uint of = group * (TOGETHER * LANES) + lane; \
      TIMES(sum, b, 0, of) TIMES(sum, b, 1, of) TIMES(sum, b, 2, of) TIMES(sum, b, 3, of) \
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
