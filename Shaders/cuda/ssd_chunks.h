// SsdScan of many rows as products of matrices (the Mamba-2 paper, section 6), by chunks of 64 rows:
//   pairs[t,s] = C[t] · B[s] within a chunk, once a group (ssd_pairs.h); then, chunk after chunk, for 32 channels of a head a block (ssd_chunks),
//   y[t]  = exp(since[t]) · h C[t] + Σ_{s≤t} pairs[t,s] · exp(since[t] − since[s]) · Δ[s] · x[s] + D · x[t]
//   h    := exp(all) · h + Σ_s exp(all − since[s]) · Δ[s] · x[s] B[s]ᵀ            since[t]: Σ_{s≤t} Δ[s]·A, all: that of a whole chunk
// Tensor cores multiply halves. A float is the sum of two, its nearest and what is left; of their four products three count. Of BF16 2^-17 of it at most is
// lost. Of F16 2^-22, but its range is small: rows of B, C and x, rows of weights, and what is added to the state in a chunk are brought there by powers of
// two, and so is the state, a quarter of it at a time.
// Four warps make what outputs get of the chunks before (and late ones of early rows of their own chunk), four the rest of them (ssd_outputs.h), four keep the
// state in their registers, show it to the first by shared memory and bring B and C (ssd_state.h); four prepare the next chunk meanwhile.
#pragma once
#include "ssd_outputs.h"
#include "ssd_state.h"

/// Prepares chunks.
template<class Type, int States> struct Server {
    static constexpr int Fours = Chunk * Channels / 4 / Servers;

    /// What a thread that prepares chunks has fetched of the next: times of rows 2 · lane and 2 · lane + 1, and channels of a few rows.
    struct Fetched { F4 times[2]; F2 back[2]; Strip<Fours> x; };
    METHOD int row_own() { return (THREAD - Before - Keepers) / (Channels / 4) * Fours; }
    METHOD int column_own() { return (THREAD - Before - Keepers) % (Channels / 4) * 4; }
    METHOD void fetch(const SsdChunkArguments& t, const Place& at, Fetched& f, int chunk) {
        const SsdArguments& a = t.scan;
        int lane = THREAD % 32, first = at.start + chunk * Chunk, left = at.length - chunk * Chunk;
        UNROLL
        for (int i = 0; i < 2; i++) {
            f.times[i] = 2 * lane + i < left ? t.times[(s64)at.head * t.rows + first + 2 * lane + i] : F4{0, 0, 0, 0};
            f.back[i] = Scaled<Type> && 2 * lane + i < left ? t.back[(s64)(first + 2 * lane + i) * a.groups + at.group] : F2{0, 0};
        }
        f.x.fetch(a, a.x, t.x, BLOCK_Y, at.start, at.length, chunk * Chunk + row_own(), at.head * a.headDim + at.p0 + column_own(), a.headDim - at.p0 - column_own());
    }
    /// The channels as they are scanned, of the rows that there are.
    METHOD void convolve(const SsdChunkArguments& t, const Place& at, const Fetched& f, F4* x, int left) {
        Weights4 taps;
        taps.load(t.x, at.head * t.scan.headDim + at.p0 + column_own(), t.scan.headDim - at.p0 - column_own());     // each time: there are no registers to keep them
        UNROLL
        for (int i = 0; i < Fours; i++) x[i] = row_own() + i < left ? f.x.row(taps.w, taps.bias, t.x.weight, i) : F4{0, 0, 0, 0};
    }
    /// The largest value of each row of x: eight lanes have one.
    METHOD void note(const F4* x, float* most) {
        UNROLL
        for (int i = 0; i < Fours; i++) {
            float v = most_of(x[i]);
            v = larger(v, exchange(v, 1)); v = larger(v, exchange(v, 2)); v = larger(v, exchange(v, 4));
            if (column_own() == 0) most[row_own() + i] = v;
        }
    }
    METHOD void prepare(Stage<States>& s, const Fetched& f, const F4* channels, const float* most, int left) {
        int own = THREAD - Before - Keepers, lane = own % 32;
        float rest[2] = { f.times[0].w, f.times[1].w };
        float back[2] = { 1, 1 }, outBack[2] = { 1, 1 };
        if constexpr (Scaled<Type>) {
            UNROLL
            for (int i = 0; i < 2; i++) {
                back[i] = power_back(most[2 * lane + i]);
                outBack[i] = f.back[i].y;
                rest[i] *= back[i] * f.back[i].x;
            }
            float largest = warp_max(larger(rest[0], rest[1])) * 32768.f, power = power_for(largest);     // x in parts is smaller
            rest[0] *= power;
            rest[1] *= power;
            if (own == 0) s.weightedBack = power_back(largest);
        }
        if (own < 32) {
            UNROLL
            for (int i = 0; i < 2; i++) {
                int row = 2 * lane + i;
                float out = exp2_fast(f.times[i].x);
                s.since[row] = F2{f.times[i].x, f.times[i].y};
                s.delta[row] = f.times[i].z * back[i];
                s.out[row] = out * outBack[i];
                s.back[row] = back[i];
                if (row == (left < Chunk ? left : Chunk) - 1) s.all = out;
            }
        }
        UNROLL
        for (int i = 0; i < Fours; i++) {
            int row = row_own() + i, column = column_own();
            float even = exchange(rest[0], lane ^ row / 2), odd = exchange(rest[1], lane ^ row / 2), w = row % 2 ? odd : even;
            F4 x = Scaled<Type> ? by(channels[i], power_for(most[row])) : channels[i];
            Split first = split<Type>(x.x, x.y), second = split<Type>(x.z, x.w);
            *(U2*)&s.x[0][row][column] = U2{first.high, second.high};
            *(U2*)&s.x[1][row][column] = U2{first.low, second.low};
            first = split<Type>(x.x * w, x.y * w);
            second = split<Type>(x.z * w, x.w * w);
            *(U2*)&s.weighted[0][row][column] = U2{first.high, second.high};
            *(U2*)&s.weighted[1][row][column] = U2{first.low, second.low};
        }
    }
    METHOD void serve(const SsdChunkArguments& t, ChunkRoom<States>& m, const Place& at) {
        Fetched f;
        F4 x[Fours];
        fetch(t, at, f, 0);
        if (Scaled<Type>) {
            convolve(t, at, f, x, at.length);
            note(x, m.most[0]);
            sync();
        }
        for (int chunk = 0; chunk < at.chunks; chunk++) {
            Stage<States>& s = m.stages[chunk & 1];
            int left = at.length - chunk * Chunk;
            if (!Scaled<Type>) convolve(t, at, f, x, left);
            prepare(s, f, x, m.most[chunk & 1], left);
            if (chunk + 1 < at.chunks) fetch(t, at, f, chunk + 1);
            if (Scaled<Type>) {
                convolve(t, at, f, x, left - Chunk);
                note(x, m.most[(chunk + 1) & 1]);
            }
            sync();     // and the chunk before has been used
        }
        if (t.x.weight) move_windows(t, at);
    }
    /// Those of this block's channels; those of B and C, which the first kernel has read, fall to the first block of a group.
    METHOD void move_windows(const SsdChunkArguments& t, const Place& at) {
        const SsdArguments& a = t.scan;
        int own = THREAD - Before - Keepers;
        if (own < Channels && at.p0 + own < a.headDim) advance_window(a, a.x, t.x, BLOCK_Y, at.head * a.headDim + at.p0 + own);
        if (at.p0 > 0 || at.head % (a.heads / a.groups) > 0) return;
        for (int n = own; n < a.states; n += Servers) {
            advance_window(a, a.b, t.b, BLOCK_Y, at.group * a.states + n);
            advance_window(a, a.c, t.c, BLOCK_Y, at.group * a.states + n);
        }
    }
};

template<class Type, int States> TEMPLATE_DEVICE void scan_chunks(const SsdChunkArguments& t, ChunkRoom<States>& m) {
    const SsdArguments& a = t.scan;
    int sequence = BLOCK_Y;
    if (sequence >= a.batch.counts[SequenceCount]) return;
    int blocksOfHead = (a.headDim + Channels - 1) / Channels, head = BLOCK_X / blocksOfHead, p0 = (BLOCK_X - head * blocksOfHead) * Channels, length = a.batch.lengths[sequence];
    float* state = (float*)a.batch.slots[sequence] + a.state + (s64)(head * a.headDim + p0) * a.states;
    Place at = { head, p0, head / (a.heads / a.groups), a.batch.starts[sequence], length, (length + Chunk - 1) / Chunk, state };
    if (THREAD < Carriers) Outputs<Type, States>::carry(t, m, at);
    else if (THREAD < Before) Outputs<Type, States>::make(t, m, at);
    else if (THREAD < Before + Keepers) Keeper<Type, States>::keep(t, m, at);
    else Server<Type, States>::serve(t, m, at);
}

#define SSD_KERNELS(name, Type, states) \
    KERNEL(name##_pairs_##states, SsdChunkArguments, 128) { \
        SHARED Pairs<Type, states>::Shared memory; \
        Pairs<Type, states>::run(a, memory); \
    } \
    KERNEL_ROOMY(name##_chunks_##states, SsdChunkArguments, 512) { \
        DYNAMIC_SHARED(memory); \
        scan_chunks<Type, states>(a, *(ChunkRoom<states>*)memory); \
    }
