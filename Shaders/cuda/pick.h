// What picking a token is made of: weights, sums over a block and where they pass a number. A block has one row of logits.
#pragma once
#include "sizes.h"

/// Before a loop that is seldom run: code is to be fetched, too.
#define ROLLED _Pragma("nounroll")
static constexpr float MostFloat = 3.40282347e38f;
/// Parts that a sum is kept in, to find where it passes a number; tokens that are compared with one another.
static constexpr int MostParts = 1024, MostNear = 512;

/// What stands in the place of a logit whose token is not picked: a NaN that no arithmetic makes.
static constexpr u32 Hidden = ~0u;

DEVICE u64 key_of(float logit, int id) {
    u32 bits = __builtin_bit_cast(u32, logit + 0.f);   // −0 ties with 0
    return (u64)(bits >> 31 ? bits : bits ^ 0x7fffffff) << 32 | (u32)id;
}
DEVICE u32 order_of(float logit) { return (u32)(key_of(logit, 0) >> 32); }
DEVICE int id_of(u64 key) { return (int)(u32)key; }
DEVICE float logit_of(u64 key) {
    u32 order = (u32)(key >> 32);
    return __builtin_bit_cast(float, order >> 31 ? order : order ^ 0x7fffffff);
}

/// The argument of TokenPicker.Weight's power of two, and that: operation by operation.
DEVICE float exponent_of(float logit, float max, float scale) { return mul_rounded(logit - max, scale); }
DEVICE u32 weight_at(float x) {
    if (!(x >= -31.f)) return 0;
    float floor = __builtin_floorf(x), f = x - floor;
    float y = __builtin_fmaf(0.00021880853455513716f, f, 0.0012391329510137439f);
    y = __builtin_fmaf(y, f, 0.009683567099273205f);
    y = __builtin_fmaf(y, f, 0.055481377989053726f);
    y = __builtin_fmaf(y, f, 0.24023012816905975f);
    y = __builtin_fmaf(y, f, 0.6931470036506653f);
    y = __builtin_fmaf(y, f, 1.f);
    return (u32)(y * (1 << 30)) >> (int)-floor;
}
DEVICE u32 weight_of(float logit, float max, float scale) { return weight_at(exponent_of(logit, max, scale)); }

DEVICE u32 exchange_bits(u32 v, int mask) { return __builtin_bit_cast(u32, exchange(__builtin_bit_cast(float, v), mask)); }
DEVICE u64 exchange_long(u64 v, int mask) { return (u64)exchange_bits((u32)(v >> 32), mask) << 32 | exchange_bits((u32)v, mask); }
DEVICE u64 warp_total(u64 v) {
    UNROLL
    for (int mask = 16; mask > 0; mask >>= 1) v += exchange_long(v, mask);
    return v;
}
/// Of the lanes before one's own.
DEVICE u64 warp_before(u64 v) {
    u64 before = 0;
    UNROLL
    for (int mask = 1; mask < 32; mask <<= 1) {
        u64 other = exchange_long(v, mask);
        if (THREAD & mask) before += other;
        v += other;
    }
    return before;
}
DEVICE u64 warp_least(u64 v) {
    UNROLL
    for (int mask = 16; mask > 0; mask >>= 1) {
        u64 other = exchange_long(v, mask);
        v = other < v ? other : v;
    }
    return v;
}
DEVICE u32 add_shared(u32* to, u32 v) { return __atomic_fetch_add(to, v, __ATOMIC_RELAXED); }

/// What the threads of a block share.
struct PickRoom {
    u32 low[MostParts], high[MostParts];    // a sum in parts
    u64 keys[MostNear], covered[MostNear];  // of the tokens that are compared with one another: the key; the weights of those up to it
    u32 weights[MostNear], ranks[MostNear], draws[MostNear];
    u64 warps[32], result, total;
    u32 near;
    int found;
};

DEVICE u64 block_least(u64 v, PickRoom& m) {
    v = warp_least(v);
    if ((THREAD & 31) == 0) m.warps[THREAD / 32] = v;
    sync();
    u64 least = m.warps[0];
    ROLLED
    for (int w = 1; w < THREADS / 32; w++) least = m.warps[w] < least ? m.warps[w] : least;
    sync();
    return least;
}
DEVICE u64 block_total(u64 v, PickRoom& m) {
    v = warp_total(v);
    if ((THREAD & 31) == 0) m.warps[THREAD / 32] = v;
    sync();
    u64 total = 0;
    ROLLED
    for (int w = 0; w < THREADS / 32; w++) total += m.warps[w];
    sync();
    return total;
}

DEVICE void clear_parts(PickRoom& m) {
    ROLLED
    for (int i = THREAD; i < MostParts; i += THREADS) m.low[i] = m.high[i] = 0;
    sync();
}
DEVICE void add_part(PickRoom& m, int part, u32 v) {
    u32 before = add_shared(&m.low[part], v);
    if (before + v < before) add_shared(&m.high[part], 1);
}
DEVICE u64 part_of(const PickRoom& m, int part) { return (u64)m.high[part] << 32 | m.low[part]; }
/// The sum of all parts, and of each 32 of them in m.warps.
DEVICE u64 total_parts(PickRoom& m) {
    ROLLED
    for (int group = THREAD / 32; group < MostParts / 32; group += THREADS / 32) {
        u64 sum = warp_total(part_of(m, group * 32 + (THREAD & 31)));
        if ((THREAD & 31) == 0) m.warps[group] = sum;
    }
    sync();
    u64 total = 0;
    _Pragma("unroll 4")
    for (int group = 0; group < MostParts / 32; group++) total += m.warps[group];
    return total;
}
/// After total_parts: the first part with which the running sum exceeds `rest`, which becomes what is left of it there.
DEVICE int part_with(const PickRoom& m, u64& rest) {
    int group = 0, part = 0;
    ROLLED
    while (group < MostParts / 32 - 1 && m.warps[group] <= rest) rest -= m.warps[group++];
    ROLLED
    while (part < 31 && part_of(m, group * 32 + part) <= rest) rest -= part_of(m, group * 32 + part++);
    return group * 32 + part;
}

/// Calls take(id, logit) for every token, those of a warp side by side.
template<int Ahead, class Take> TEMPLATE_DEVICE void each_token(const float* row, int tokens, Take take) {
    ROLLED
    for (int first = THREAD; first < tokens; first += Ahead * THREADS) {
        float v[Ahead];
        UNROLL
        for (int i = 0; i < Ahead; i++) v[i] = first + i * THREADS < tokens ? load_fresh(row + first + i * THREADS) : 0.f;
        UNROLL
        for (int i = 0; i < Ahead; i++)
            if (first + i * THREADS < tokens) take(first + i * THREADS, v[i]);
    }
}

/// The first token, in order of id, with which the running sum of measure(id, logit) exceeds rest(total), or -1.
template<class Measure, class Rest> TEMPLATE_DEVICE int token_with(const float* row, int tokens, PickRoom& m, Measure measure, Rest rest_of) {
    constexpr int Ahead = 8, Chunk = Ahead * 32;
    int lane = THREAD & 31, chunk = Chunk * ((tokens + Chunk * MostParts - 1) / (Chunk * MostParts));
    ROLLED
    for (int part = THREAD / 32; part < MostParts; part += THREADS / 32) {
        u64 sum = 0;
        int end = part * chunk + chunk < tokens ? part * chunk + chunk : tokens;
        ROLLED
        for (int first = part * chunk + lane; first - lane < end; first += Chunk) {
            float v[Ahead];
            UNROLL
            for (int i = 0; i < Ahead; i++) v[i] = first + i * 32 < end ? load_fresh(row + first + i * 32) : 0.f;
            UNROLL
            for (int i = 0; i < Ahead; i++)
                if (first + i * 32 < end) sum += measure(first + i * 32, v[i]);
        }
        if (part * chunk < tokens) sum = warp_total(sum);
        if (lane == 0) {
            m.low[part] = (u32)sum;
            m.high[part] = (u32)(sum >> 32);
        }
    }
    sync();
    u64 total = total_parts(m), rest = rest_of(total);
    if (rest >= total) return -1;
    int part = part_with(m, rest);
    sync();
    if (THREAD < 32) {
        ROLLED
        for (int first = part * chunk; first < part * chunk + chunk && first < tokens; first += 32) {
            u32 own = first + lane < tokens ? measure(first + lane, load_fresh(row + first + lane)) : 0;
            u64 sum = warp_total(own);
            if (sum <= rest) {
                rest -= sum;
                continue;
            }
            u64 before = warp_before(own);
            if (before <= rest && rest < before + own) m.found = first + lane;
            break;
        }
    }
    sync();
    return m.found;
}
