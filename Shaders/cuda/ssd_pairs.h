// What SsdScan by chunks (ssd_chunks.h) needs of the rows once for all blocks that take them: B and C in halves, their products, and how time goes by.
#pragma once
#include "ssd_taps.h"
#include "tensor.h"

struct SsdChunkArguments {
    SsdArguments scan;
    u16* parts;     // [rows, groups, 4, states] B, what is left of it, C, what is left of that
    float* pairs;   // [rows, groups, 64]
    F2* back;       // [rows, groups] what leads back from B and C in parts
    F4* times;      // [heads, rows] since[t], a large sum of which small differences count, in two floats; Δ[t]; and exp(all − since[t]) · Δ[t]
    int pairBlocks, rows;
    Taps x, b, c;
};

static constexpr int Chunk = 64, Quarter = 16, Padding = 8, PairThreads = 128;

/// Whether halves need to be brought to their range.
template<class Type> inline constexpr bool Scaled = false;
template<> inline constexpr bool Scaled<Half> = true;

DEVICE F4 by(F4 v, float power) { return F4{v.x * power, v.y * power, v.z * power, v.w * power}; }

/// sums += (a + what is left of a) · (b + what is left of b)ᵀ for two neighbouring tiles of eight columns.
template<class Type> TEMPLATE_DEVICE void multiply_split(float (*sums)[4], const u32 a[2][4], const u32 b[2][4]) {
    UNROLL
    for (int part = 0; part < 3; part++) {
        const u32 *left = a[part / 2], *right = b[part % 2];
        multiply(sums[0], left, right[0], right[1], Type());
        multiply(sums[1], left, right[2], right[3], Type());
    }
}

DEVICE double exchange(double v, int mask) {
    u64 bits = __builtin_bit_cast(u64, v);
    u32 low = __builtin_bit_cast(u32, exchange(__builtin_bit_cast(float, (u32)bits), mask)), high = __builtin_bit_cast(u32, exchange(__builtin_bit_cast(float, (u32)(bits >> 32)), mask));
    return __builtin_bit_cast(double, (u64)high << 32 | low);
}

/// Times of a chunk of a head a warp, two neighbouring rows a lane.
DEVICE void note_times(const SsdChunkArguments& t) {
    const SsdArguments& a = t.scan;
    int sequence = BLOCK_Y, own = (BLOCK_X - t.pairBlocks) * (PairThreads / 32) + THREAD / 32, chunk = own / a.heads, head = own - chunk * a.heads, lane = THREAD % 32;
    if (sequence >= a.batch.counts[SequenceCount]) return;
    int left = a.batch.lengths[sequence] - chunk * Chunk, first = a.batch.starts[sequence] + chunk * Chunk + 2 * lane;
    if (left <= 0) return;
    float A = a.A[head] * Log2E, bias = a.bias[head], delta[2];
    UNROLL
    for (int i = 0; i < 2; i++) delta[i] = 2 * lane + i < left ? softplus(row_of(a.dt, first + i)[head] + bias) : 0.f;
    double later = delta[1] * A, all = (double)(delta[0] * A) + later, since[2] = { 0, all };
    UNROLL
    for (int mask = 1; mask < 32; mask *= 2) {
        double other = exchange(all, mask);
        since[1] += lane & mask ? other : 0.0;
        all += other;
    }
    since[0] = since[1] - later;
    UNROLL
    for (int i = 0; i < 2; i++) {
        float high = (float)since[i];
        if (2 * lane + i < left) t.times[(s64)head * t.rows + first + i] = F4{high, (float)(since[i] - high), delta[i], delta[i] * exp2_fast((float)(all - since[i]))};
    }
}

/// Rows of B and C as halves for every head of a group, and their products: a block a quarter of a chunk.
template<class Type, int States> struct Pairs {
    static constexpr int Row = States + Padding, Fours = States / 4, RowsOfThread = Quarter * Fours / PairThreads;
    struct Shared {
        alignas(16) u16 c[2][Quarter][Row], b[2][Chunk][Row];
        float backC[Quarter], backB[Chunk];
    };

    /// `to` in shared memory, and `parts` where they are this block's.
    METHOD void put(u16* to, int apart, float* back, u16* parts, F4 v) {
        if constexpr (Scaled<Type>) {
            float most = most_of(v);
            UNROLL
            for (int mask = 1; mask < Fours; mask *= 2) most = larger(most, exchange(most, mask));
            v = by(v, power_for(most));
            if (THREAD % Fours == 0) *back = power_back(most);
        }
        Split first = split<Type>(v.x, v.y), second = split<Type>(v.z, v.w);
        *(U2*)to = U2{first.high, second.high};
        *(U2*)(to + apart) = U2{first.low, second.low};
        if (!parts) return;
        *(U2*)parts = U2{first.high, second.high};
        *(U2*)(parts + States) = U2{first.low, second.low};
    }
    METHOD void run(const SsdChunkArguments& t, Shared& m) {
        if (BLOCK_X >= t.pairBlocks) return note_times(t);
        const SsdArguments& a = t.scan;
        int sequence = BLOCK_Y, piece = BLOCK_X / a.groups, group = BLOCK_X - piece * a.groups, quarter = piece % 4, first = piece / 4 * Chunk;
        if (sequence >= a.batch.counts[SequenceCount]) return;
        int left = a.batch.lengths[sequence] - first, start = a.batch.starts[sequence] + first;
        if (quarter * Quarter >= left) return;
        int n = THREAD % Fours * 4, column = group * a.states + n, columns = a.states - n;
        Weights4 wb, wc;
        wb.load(t.b, column, columns);
        wc.load(t.c, column, columns);
        for (int r0 = 0; r0 <= quarter * Quarter; r0 += Quarter) {
            Strip<RowsOfThread> b, c;
            bool own = r0 == quarter * Quarter;
            int row0 = r0 + THREAD / Fours * RowsOfThread;
            b.fetch(a, a.b, t.b, sequence, start - first, first + left, first + row0, column, columns);
            if (own) c.fetch(a, a.c, t.c, sequence, start - first, first + left, first + row0, column, columns);
            UNROLL
            for (int i = 0; i < RowsOfThread; i++) {
                int row = row0 + i;
                bool there = row < left;
                u16* parts = own && there ? t.parts + ((s64)(start + row) * a.groups + group) * 4 * States + n : nullptr;
                put(&m.b[0][row][n], Chunk * Row, &m.backB[row], parts, there ? b.row(wb.w, wb.bias, t.b.weight, i) : F4{0, 0, 0, 0});
                if (own) put(&m.c[0][row - r0][n], Quarter * Row, &m.backC[row - r0], parts ? parts + 2 * States : nullptr, there ? c.row(wc.w, wc.bias, t.c.weight, i) : F4{0, 0, 0, 0});
            }
        }
        sync();
        int warp = THREAD / 32, lane = THREAD % 32;
        if (Scaled<Type> && THREAD < Quarter && quarter * Quarter + THREAD < left)
            t.back[(s64)(start + quarter * Quarter + THREAD) * a.groups + group] = F2{m.backB[quarter * Quarter + THREAD], m.backC[THREAD]};
        if (warp > quarter) return;
        float sums[2][4] = {};
        UNROLL
        for (int k = 0; k < States; k += 16) {
            u32 c[2][4], b[2][4];
            UNROLL
            for (int part = 0; part < 2; part++) {
                load_matrices(c[part], &m.c[part][lane & 15][k + (lane >> 4) * 8]);
                load_matrices(b[part], &m.b[part][warp * 16 + (lane & 7) + (lane >> 4) * 8][k + (lane >> 3 & 1) * 8]);
            }
            multiply_split<Type>(sums, c, b);
        }
        UNROLL
        for (int i = 0; i < 2; i++) {
            int row = quarter * Quarter + lane / 4 + 8 * i;
            if (row >= left) continue;
            float* to = t.pairs + ((s64)(start + row) * a.groups + group) * Chunk + warp * 16 + lane % 4 * 2;
            UNROLL
            for (int j = 0; j < 2; j++) {
                F2 pair{sums[j][2 * i], sums[j][2 * i + 1]};
                if constexpr (Scaled<Type>) {
                    const float* b = &m.backB[warp * 16 + lane % 4 * 2 + 8 * j];
                    float c = m.backC[lane / 4 + 8 * i];
                    pair = F2{pair.x * c * b[0], pair.y * c * b[1]};
                }
                *(F2*)(to + 8 * j) = pair;
            }
        }
    }
};
