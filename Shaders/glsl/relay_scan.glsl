// A step of a recurrence in one dispatch (relay.comp), with the projection of dt where it has a rank.

// Known when a pipeline is made, but for models that mix forms: at a choice in the shader what is on its way would be waited for.
uint formOfDt() { return DT == MIXED ? word(Form) : DT; }
bool projects() { return DT == MIXED ? word(ColumnCount) != 0 : DT != NONE; }

// Eight values of a row of dt's projection, as they are stored.
struct Eight { uvec4 low, high; uint scale; };
Eight eightAt(uint value) {
  Eight e;
  uint form = formOfDt();
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
  uint form = formOfDt();
  if (form == F32) return dot(uintBitsToFloat(e.low), f) + dot(uintBitsToFloat(e.high), g);
  if (form == Q8_0) return unpackHalf2x16(e.scale).x * (dot(signedBytes(e.low.x), f) + dot(signedBytes(e.low.y), g));
  return dot(vec4(halves(e.low.x), halves(e.low.y)), f) + dot(vec4(halves(e.low.z), halves(e.low.w)), g);
}

float sumOfSharing(float v) {
  for (uint other = 1; other < SHARING; other *= 2) v += subgroupShuffleXor(v, other);
  return v;
}

// What a channel's step reads beside dt, B and C.
struct Channel { float h[OWN], decays[OWN], skip, bias, decayOfHead; uint u, z, dt; Eight weights; } c;

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
  c.z = SSD != 0 ? 1 : look(word(ZAt) + channel);
  c.dt = projects() ? 1 : look(word(DtAt) + head);
  if (projects()) c.weights = eightAt(channel * rank + min(8 * lane, rank - 8));
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
    for (uint column = 8 * lane; projects() && column < rank; column += 8 * SHARING) {
      if (column != 8 * lane) c.weights = eightAt(channel * rank + column);
      dt += times(c.weights, xs[column / 4], xs[column / 4 + 1]);
    }
    dt = projects() ? sumOfSharing(dt) : taken(c.dt, word(DtAt) + head);
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
