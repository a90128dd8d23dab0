// Products of a step in one dispatch (relay.comp), with what becomes of their rows: residual, bias, convolution, logits.

// What a row's product becomes: read ahead for the row that a thread finishes first.
struct Ends { float bias, added; vec4 taps, past; uvec2 residual; };   // taps and values of the window: the latest first

bool convolves(uint row) { return (word(Flags) & Convolves) != 0 && row - word(ConvFirst) < word(Channels); }

Ends endsOf(uint row) {
  Ends e;
  uint flags = word(Flags), channel = row - word(ConvFirst), taps = word(TapCount), window = (slot * word(Channels) + channel) * (taps - 1);
  e.bias = 0.0;
  e.residual = uvec2(0, run);
  if ((flags & HasBias) != 0) e.bias = Floats(address(Bias)).at[row];
  if ((flags & Adds) != 0) e.residual = look(word(ResidualAt) + row);
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
  uint rows = word(RowCount), units = unitsOfRow(), groups = groupsOfRow(), own = worker() + lane * workers();
  bool bytes = ofBytes();
  Quads weights = Quads(address(Weight));
  Shorts scales = Shorts(address(Scales));
  p.row = worker();
  p.group = 0;
  FETCH_GROUP(0)
  FETCH_GROUP(MOST)
  p.ends = endsOf(min(own, rows - 1));
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
