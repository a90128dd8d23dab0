// Picks a token from the last row of logits of each sequence as TokenPick (Runtime/Inference/TokenPick.cs) defines it, to the integer. What is summed are
// integers, so the order of sums is free. A block a sequence: the largest logit first, which is all that a greedy pick needs and all that fails where one is not finite.
#include "pick.h"

struct PickArguments {
    Batch batch;
    const Pick* picks;
    Matrix logits;
    const int* hidden;      // tokens that stand for nothing; then those that end a text
    int tokens;             // up to the last that stands for something
    int unused, ends;       // how many of each a.hidden has
    s64 last;               // where in a slot its last pick stands
    int *picked, *notFinite;
};

/// What stands for no token: none is asked for, or there is none to pick.
enum { NotAsked = -1, Nothing = -2 };

/// Tokens up to a place in the order.
struct Limit { float logit; int id; };
DEVICE bool within(const Limit& limit, float logit, int id) { return logit > limit.logit || (logit == limit.logit && id <= limit.id); }

static constexpr int BinsOfOctave = 32, NearOctaves = 16, MostQuick = 128;
DEVICE int bin_of(float x) { return -x * BinsOfOctave < MostParts - 1 ? (int)(-x * BinsOfOctave) : MostParts - 1; }

/// The first token of the order. `best` becomes the largest logit that the thread has seen.
template<bool Hides> TEMPLATE_DEVICE u64 first_token(const PickArguments& a, float* row, int hidden, float& best, bool& finite, PickRoom& m) {
    constexpr int Ahead = 25;
    float probe = 0;
    int id = a.tokens;
    if (Hides) {
        for (int i = THREAD; i < hidden; i += THREADS) {
            probe += 0.f * load_fresh(row + a.hidden[i]);
            row[a.hidden[i]] = __builtin_bit_cast(float, Hidden);
        }
        sync();
    }
    best = -__builtin_inff();
    ROLLED
    for (int first = THREAD; first < a.tokens; first += Ahead * THREADS) {
        float v[Ahead];
        UNROLL
        for (int i = 0; i < Ahead; i++) v[i] = first + i * THREADS < a.tokens ? load_fresh(row + first + i * THREADS) : -MostFloat;
        UNROLL
        for (int i = 0; i < Ahead; i++) {
            if (!Hides || __builtin_bit_cast(u32, v[i]) != Hidden) probe = __builtin_fmaf(0.f, v[i], probe);   // a NaN from now on where v is not finite
            if (v[i] > best) {
                best = v[i];
                id = first + i * THREADS;
            }
        }
    }
    u64 first = block_least(key_of(best, id), m);
    finite = sync_count(probe != 0.f) == 0;
    return first;
}

/// A logit that at least `count` tokens reach and few more, from the largest that each thread has seen.
DEVICE float bar_of(float best, int count) {
    u32 own = ~order_of(best), bar = 0;
    ROLLED
    for (int bit = 31; bit >= 16; bit--)
        if (sync_count(own >= (bar | 1u << bit)) >= count) bar |= 1u << bit;
    float logit = logit_of((u64)~bar << 32);
    return logit == logit ? logit : -__builtin_inff();   // below all numbers
}

/// Brings the keys of tokens that meet a condition to shared memory; false where there are too many.
template<int Ahead, class Condition> TEMPLATE_DEVICE bool gather(const float* row, int tokens, PickRoom& m, Condition condition) {
    if (THREAD == 0) m.near = 0;
    sync();
    each_token<Ahead>(row, tokens, [&](int id, float logit) {
        if (!condition(id, logit)) return;
        u32 at = add_shared(&m.near, 1);
        if (at < MostNear) m.keys[at] = key_of(logit, id);
    });
    sync();
    return m.near <= MostNear;
}
/// Of each token that was gathered: its weight by measure(logit), the weights of all up to it, how many come before it. A warp a token.
template<class Measure> TEMPLATE_DEVICE void compare(PickRoom& m, Measure measure) {
    int count = (int)m.near, lane = THREAD & 31;
    ROLLED
    for (int i = THREAD; i < count; i += THREADS) m.weights[i] = measure(logit_of(m.keys[i]));
    sync();
    ROLLED
    for (int i = THREAD / 32; i < count; i += THREADS / 32) {
        u64 own = m.keys[i], covered = 0, rank = 0;
        ROLLED
        for (int j = lane; j < count; j += 32)
            if (m.keys[j] <= own) {
                covered += m.weights[j];
                rank += m.keys[j] != own;
            }
        covered = warp_total(covered);
        rank = warp_total(rank);
        if (lane == 0) {
            m.covered[i] = covered;
            m.ranks[i] = (u32)rank;
        }
    }
    sync();
}

DEVICE u64 target_of(u64 sum, float topP) { return (u64)__builtin_ceil((double)topP * (double)sum); }
DEVICE u64 drawn(u64 sum, u64 random) { return (u64)((unsigned __int128)sum * random >> 64); }

/// Picks among tokens that were gathered, of which the first topK are meant, and all of those are there.
DEVICE int pick_near(const Pick& pick, float max, PickRoom& m) {
    int lane = THREAD & 31;
    compare(m, [&](float logit) { return weight_of(logit, max, Log2E); });
    int count = (int)m.near, kept = pick.topK < count ? pick.topK : count;
    ROLLED
    for (int i = THREAD; i < count; i += THREADS)
        if ((int)m.ranks[i] == kept - 1) m.total = m.covered[i];
    sync();
    u64 target = pick.topP > 0.f && pick.topP < 1.f ? target_of(m.total, pick.topP) : ~0ull;
    ROLLED
    for (int i = THREAD; i < count; i += THREADS) {
        bool meant = (int)m.ranks[i] < kept && m.covered[i] - m.weights[i] < target && m.weights[i] >= pick.least;
        m.draws[i] = meant ? weight_of(logit_of(m.keys[i]), max, pick.scale) : 0;
    }
    if (THREAD == 0) m.found = -1;
    sync();
    ROLLED
    for (int i = THREAD / 32; i < count; i += THREADS / 32) {
        u64 before = 0, total = 0;
        ROLLED
        for (int j = lane; j < count; j += 32) {
            total += m.draws[j];
            if (id_of(m.keys[j]) < id_of(m.keys[i])) before += m.draws[j];
        }
        before = warp_total(before);
        u64 rest = drawn(warp_total(total), pick.random);
        if (lane == 0 && before <= rest && rest < before + m.draws[i]) m.found = id_of(m.keys[i]);
    }
    sync();
    return m.found;
}

/// The last token that top-p (weighs) or top-k keeps of those within a limit.
DEVICE Limit select(const PickArguments& a, const Pick& pick, const float* row, float max, const Limit& limit, bool weighs, PickRoom& m) {
    auto measure = [&](float logit) { return weighs ? weight_of(logit, max, Log2E) : 1u; };
    u64 rest = 0;
    int bin = 0;
    // By bins of the weight's exponent. What is far from the first token rarely counts and is summed only.
    ROLLED
    for (bool all = !weighs; ; all = true) {
        u64 far = 0;
        clear_parts(m);
        each_token<4>(row, a.tokens, [&](int id, float logit) {
            float x = exponent_of(logit, max, Log2E);
            if (!within(limit, logit, id)) return;
            if (all || x >= -NearOctaves) add_part(m, bin_of(x), measure(logit));
            else far += measure(logit);
        });
        far = block_total(far, m);
        u64 near = total_parts(m);
        rest = (weighs ? target_of(near + far, pick.topP) : (u64)pick.topK) - 1;
        if (rest < near || all) {
            if (rest >= near) return limit;   // all of them are needed
            bin = part_with(m, rest);
            sync();
            break;
        }
    }
    // Then, where ties or far tokens fill a bin, by bins of what is left of it.
    u32 least = 0, most = ~0u;
    auto in_bin = [&](int id, float logit) {
        u32 order = order_of(logit);
        return within(limit, logit, id) && bin_of(exponent_of(logit, max, Log2E)) == bin && order >= least && order <= most;
    };
    ROLLED
    while (!gather<4>(row, a.tokens, m, in_bin)) {
        u32 low = ~0u, high = 0;
        each_token<1>(row, a.tokens, [&](int id, float logit) {
            if (!in_bin(id, logit)) return;
            low = order_of(logit) < low ? order_of(logit) : low;
            high = order_of(logit) > high ? order_of(logit) : high;
        });
        least = (u32)block_least(low, m);
        most = ~(u32)block_least(~high, m);
        if (least == most) {
            float tie = logit_of((u64)least << 32);
            u32 each = measure(tie);
            u64 skipped = rest / each;
            return Limit{tie, token_with(row, a.tokens, m, [&](int id, float logit) { return logit == tie && within(limit, logit, id) ? 1u : 0u; }, [&](u64) { return skipped; })};
        }
        int shift = 0;
        ROLLED
        while ((most - least) >> shift >= MostParts) shift++;
        clear_parts(m);
        each_token<1>(row, a.tokens, [&](int id, float logit) {
            if (in_bin(id, logit)) add_part(m, (int)((order_of(logit) - least) >> shift), measure(logit));
        });
        sync();
        total_parts(m);
        u32 part = (u32)part_with(m, rest);
        sync();
        least += part << shift;
        most = least + ((1u << shift) - 1);
    }
    compare(m, measure);
    ROLLED
    for (int i = THREAD; i < (int)m.near; i += THREADS)
        if (m.covered[i] - m.weights[i] <= rest && rest < m.covered[i]) m.result = m.keys[i];
    sync();
    Limit last{logit_of(m.result), id_of(m.result)};
    sync();
    return last;
}

DEVICE int pick_token(const PickArguments& a, const Pick& pick, float* row, PickRoom& m) {
    float best, max;
    bool finite;
    u64 first = pick.hidden > 0 ? first_token<true>(a, row, pick.hidden, best, finite, m) : first_token<false>(a, row, 0, best, finite, m);
    if (!finite && THREAD == 0) *a.notFinite = 1;
    int id = id_of(first);
    if (id >= a.tokens) return Nothing;
    if (!finite || pick.scale == 0.f || pick.topK == 1) return id;
    max = logit_of(first);
    bool topK = pick.topK > 0 && pick.topK < a.tokens;
    if (topK && pick.topK <= MostQuick && pick.topK <= THREADS) {
        float bar = bar_of(best, pick.topK);
        if (gather<8>(row, a.tokens, m, [&](int, float logit) { return logit >= bar; })) return pick_near(pick, max, m);
    }
    Limit limit{-__builtin_inff(), a.tokens};
    bool topP = pick.topP > 0.f && pick.topP < 1.f;
    ROLLED
    for (int weighs = topK ? 0 : 1; weighs <= (topP ? 1 : 0); weighs++) limit = select(a, pick, row, max, limit, weighs != 0, m);
    auto draw = [&](int token, float logit) {
        return within(limit, logit, token) && (pick.least == 0 || weight_of(logit, max, Log2E) >= pick.least) ? weight_of(logit, max, pick.scale) : 0u;
    };
    return token_with(row, a.tokens, m, draw, [&](u64 sum) { return drawn(sum, pick.random); });
}

EARLY_KERNEL(pick, PickArguments, 512, 1) {
    SHARED PickRoom room;
    start_dependents();
    Pick pick = a.picks[BLOCK_X];
    bool there = BLOCK_X < a.batch.counts[SequenceCount], picks = pick.row >= 0 && a.batch.slots[BLOCK_X] == pick.home;
    int end = THREAD < a.ends ? a.hidden[a.unused + THREAD] : -1;
    wait_for_inputs();
    if (!there) return;
    int id = picks ? pick_token(a, pick, row_of(a.logits, pick.row), room) : NotAsked;
    bool ends = picks && sync_count(id == end) > 0;
    if (THREAD != 0) return;
    a.picked[BLOCK_X] = id;
    // A run that was started meanwhile finds a token there in any case, and whether the text has ended with it.
    if (picks) *(int*)(pick.home + a.last) = ends ? ~id : id < 0 ? 0 : id;
}
