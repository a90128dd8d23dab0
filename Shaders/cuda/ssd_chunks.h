// SsdScan of many rows as products of matrices (the Mamba-2 paper, section 6), by chunks of 64 rows:
//   pairs[t,s] = C[t] · B[s] within a chunk, once a group (ssd_pairs); then, chunk after chunk, for 32 channels of a head a block (ssd_chunks),
//   y[t]  = exp(since[t]) · h C[t] + Σ_{s≤t} pairs[t,s] · exp(since[t] − since[s]) · Δ[s] · x[s] + D · x[t]
//   h    := exp(all) · h + Σ_s exp(all − since[s]) · Δ[s] · x[s] B[s]ᵀ            since[t]: Σ_{s≤t} Δ[s]·A, all: that of a whole chunk
// Tensor cores multiply halves. A float is the sum of two, its nearest and what is left; of their four products three count. Of BF16 2^-17 of it at most is
// lost. Of F16 2^-22, but its range is small: rows of B, C and x, rows of weights, and what is added to the state in a chunk are brought there by powers of
// two, and so is the state, a quarter of it at a time.
// Four warps make outputs, four the state, which stays in their registers and is shown to the others by shared memory; four prepare the next chunk meanwhile.
#pragma once
#include "ssd_taps.h"
#include "tensor.h"

struct SsdChunkArguments {
    SsdArguments scan;
    u16* parts;     // [rows, groups, 4, states] B, what is left of it, C, what is left of that
    float* pairs;   // [rows, groups, 64]
    F2* back;       // [rows, groups] what leads back from B and C in parts
    Taps x, b, c;
};

static constexpr int Chunk = 64, Quarter = 16, Channels = 32, Padding = 8, PairThreads = 128, Slices = 4;

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

DEVICE double exchange(double v, int mask) {
    u64 bits = __builtin_bit_cast(u64, v);
    u32 low = __builtin_bit_cast(u32, exchange(__builtin_bit_cast(float, (u32)bits), mask)), high = __builtin_bit_cast(u32, exchange(__builtin_bit_cast(float, (u32)(bits >> 32)), mask));
    return __builtin_bit_cast(double, (u64)high << 32 | low);
}

template<class Type, int States> struct Chunks {
    static constexpr int Row = States + Padding, XRow = Channels + Padding, Makers = 128, Keepers = 128, Servers = 128;
    static constexpr int Tiles = Channels / 8, StateTiles = States / 4 / 8, Fours = Chunk * Channels / 4 / Servers, Steps = Chunk / 16;
    static constexpr int SlicesAtOnce = Scaled<Type> ? 1 : Slices;  // registers have no room for the sums of all
    struct Stage {
        alignas(16) u16 parts[4][Chunk][Row];                   // as SsdChunkArguments has them
        alignas(16) u16 x[2][Chunk][XRow], weighted[2][Chunk][XRow];
        float since[2][Chunk], delta[Chunk], out[Chunk];        // a sum of logarithms is large where differences count: it is kept in two floats
        float back[Chunk];                                      // of rows of x; delta has it, and out that of C
        float all, weightedBack;
    };
    struct Shared {
        Stage stages[2];
        alignas(16) u16 h[2][2][Channels][Row];
        float most[2][Chunk];       // of rows of x, of the next chunk
        float hBack[2][Slices];
    };
    struct Place { int head, p0, group, start, length, chunks; float* state; };

    /// Outputs of sixteen rows of each chunk a warp.
    METHOD void make(const SsdChunkArguments& t, const Shared& m, const Place& at) {
        const SsdArguments& a = t.scan;
        int lane = THREAD % 32, tile = THREAD / 32, own = tile * 16 + lane / 4, p = lane % 4 * 2;
        float D = a.D[at.head];
        bool whole = a.wide && a.headDim - at.p0 >= Channels;
        float* y = row_of(a.y, at.start + own) + at.head * a.headDim + at.p0 + p;
        const float* from = t.pairs + ((s64)(at.start + own) * a.groups + at.group) * Chunk + p;
        if (Scaled<Type>) sync();
        F2 pairs[Steps][4];
        ask(pairs, from, a.groups, tile, at.length - own);
        for (int chunk = 0; chunk < at.chunks; chunk++) {
            int left = at.length - chunk * Chunk;
            sync();     // it is prepared
            const Stage& s = m.stages[chunk & 1];
            float sums[Tiles][4] = {}, scaled[Tiles][4] = {};
            _Pragma("unroll SlicesAtOnce")
            for (int slice = 0; slice < Slices; slice++) {
                UNROLL
                for (int k0 = 0; k0 < States / Slices; k0 += 16) {
                    int k = slice * (States / Slices) + k0;
                    u32 c[2][4], h[2][Tiles / 2][4];
                    UNROLL
                    for (int part = 0; part < 2; part++) {
                        load_matrices(c[part], &s.parts[2 + part][tile * 16 + (lane & 15)][k + (lane >> 4) * 8]);
                        UNROLL
                        for (int j = 0; j < Tiles / 2; j++) load_matrices(h[part][j], &m.h[chunk & 1][part][16 * j + (lane & 7) + (lane >> 4) * 8][k + (lane >> 3 & 1) * 8]);
                    }
                    multiply_all(sums, c, h);
                }
                if (Scaled<Type>) move(scaled, sums, m.hBack[chunk & 1][slice], 0.f);
            }
            float out[2] = { s.out[own], s.out[own + 8] };
            UNROLL
            for (int j = 0; j < Tiles; j++)
                UNROLL
                for (int q = 0; q < 4; q++) (Scaled<Type> ? scaled : sums)[j][q] *= out[q / 2];
            UNROLL
            for (int k = 0; k < Steps; k++)
                UNROLL
                for (int i = 0; i < 4; i++) {
                    int row = own + i % 2 * 8, column = k * 16 + i / 2 * 8 + p;
                    if (k <= tile) pairs[k][i] = F2{weight(s, row, column, pairs[k][i].x, D), weight(s, row, column + 1, pairs[k][i].y, D)};
                }
            float power[2] = { 1, 1 }, back[2] = { 1, 1 };
            if constexpr (Scaled<Type>) {
                UNROLL
                for (int r = 0; r < 2; r++) {
                    float most = 0;
                    UNROLL
                    for (int k = 0; k < Steps; k++) most = larger(most, most_of(F4{pairs[k][r].x, pairs[k][r].y, pairs[k][r + 2].x, pairs[k][r + 2].y}));
                    most = larger(most, exchange(most, 1));
                    most = larger(most, exchange(most, 2));
                    power[r] = power_for(most);
                    back[r] = power_back(most);
                }
            }
            UNROLL
            for (int k = 0; k < Steps; k++) {
                if (k > tile) continue;
                u32 weights[2][4], x[2][Tiles / 2][4];
                UNROLL
                for (int i = 0; i < 4; i++) {
                    Split w = split<Type>(pairs[k][i].x * power[i % 2], pairs[k][i].y * power[i % 2]);
                    weights[0][i] = w.high;
                    weights[1][i] = w.low;
                }
                UNROLL
                for (int part = 0; part < 2; part++)
                    UNROLL
                    for (int j = 0; j < Tiles / 2; j++) load_transposed(x[part][j], &s.x[part][k * 16 + (lane & 15)][16 * j + (lane >> 4) * 8]);
                multiply_all(sums, weights, x);
            }
            if (Scaled<Type>) {
                move(scaled, sums, back[0], back[1]);
                UNROLL
                for (int j = 0; j < Tiles; j++)
                    UNROLL
                    for (int q = 0; q < 4; q++) sums[j][q] = scaled[j][q];
            }
            UNROLL
            for (int i = 0; i < 2; i++) {
                if (own + 8 * i >= left) continue;
                float* row = y + i * 8 * (s64)a.y.stride;
                UNROLL
                for (int j = 0; j < Tiles; j++) {
                    int there = a.headDim - at.p0 - 8 * j - p;
                    if (whole) *(F2*)(row + 8 * j) = F2{sums[j][2 * i], sums[j][2 * i + 1]};
                    else {
                        if (there > 0) row[8 * j] = sums[j][2 * i];
                        if (there > 1) row[8 * j + 1] = sums[j][2 * i + 1];
                    }
                }
            }
            y += Chunk * (s64)a.y.stride;
            from += (s64)Chunk * a.groups * Chunk;
            ask(pairs, from, a.groups, tile, left - Chunk - own);     // before the barrier, behind which B and C come in: they would be waited for
        }
    }
    /// A lane's part of the products within a chunk, of the rows that there are.
    METHOD void ask(F2 (*pairs)[4], const float* from, int groups, int tile, int rows) {
        const float* other = from + 8 * (s64)groups * Chunk;
        UNROLL
        for (int k = 0; k < Steps; k++)
            UNROLL
            for (int i = 0; i < 4; i++)
                pairs[k][i] = k <= tile && i % 2 * 8 < rows ? *(const F2*)((i % 2 ? other : from) + k * 16 + i / 2 * 8) : F2{0, 0};
    }
    METHOD void multiply_all(float (*sums)[4], const u32 a[2][4], const u32 b[2][Tiles / 2][4]) {
        UNROLL
        for (int part = 0; part < 3; part++)
            UNROLL
            for (int j = 0; j < Tiles; j++) multiply(sums[j], a[part / 2], b[part % 2][j / 2][j % 2 * 2], b[part % 2][j / 2][j % 2 * 2 + 1], Type());
    }
    /// Sums that are as they should be but for a factor, of the upper and of the lower eight rows; 0 for the same.
    METHOD void move(float (*to)[4], float (*sums)[4], float upper, float lower) {
        if (lower == 0.f) lower = upper;
        UNROLL
        for (int j = 0; j < Tiles; j++)
            UNROLL
            for (int q = 0; q < 4; q++) {
                to[j][q] += sums[j][q] * (q < 2 ? upper : lower);
                sums[j][q] = 0;
            }
    }
    /// What row t takes of x[s].
    METHOD float weight(const Stage& s, int row, int column, float pair, float D) {
        float passed = (s.since[0][row] - s.since[0][column]) + (s.since[1][row] - s.since[1][column]);
        float w = pair * exp2_fast(passed) * s.delta[column];
        return column > row ? 0.f : column == row ? w + (Scaled<Type> ? D * s.back[column] : D) : w;
    }

    /// The state of all channels and a quarter of the states a warp.
    METHOD void keep(const SsdChunkArguments& t, Shared& m, const Place& at) {
        const SsdArguments& a = t.scan;
        int lane = THREAD % 32, slice = (THREAD - Makers) / 32, n0 = slice * (States / Slices), p = lane / 4, n = n0 + lane % 4 * 2;
        float h[2][StateTiles][4];
        UNROLL
        for (int i = 0; i < 2; i++)
            UNROLL
            for (int j = 0; j < StateTiles; j++)
                UNROLL
                for (int q = 0; q < 4; q++) {
                    int channel = 16 * i + p + q / 2 * 8, state = n + 8 * j + q % 2;
                    h[i][j][q] = at.p0 + channel < a.headDim && state < a.states ? at.state[(s64)channel * a.states + state] : 0.f;
                }
        show(m.h[0], m.hBack[0][slice], h, p, n);
        if (Scaled<Type>) sync();
        for (int chunk = 0; chunk < at.chunks; chunk++) {
            sync();
            const Stage& s = m.stages[chunk & 1];
            float all = s.all, added[2][StateTiles][4] = {};
            float (*sums)[StateTiles][4] = Scaled<Type> ? added : h;
            UNROLL
            for (int i = 0; i < 2; i++)
                UNROLL
                for (int j = 0; j < StateTiles; j++)
                    UNROLL
                    for (int q = 0; q < 4; q++) h[i][j][q] *= all;
            UNROLL
            for (int k = 0; k < Chunk; k += 16) {
                u32 x[2][2][4], b[2][StateTiles / 2][4];
                UNROLL
                for (int part = 0; part < 2; part++) {
                    UNROLL
                    for (int i = 0; i < 2; i++) load_transposed(x[part][i], &s.weighted[part][k + (lane >> 4) * 8 + (lane & 7)][16 * i + (lane >> 3 & 1) * 8]);
                    UNROLL
                    for (int j = 0; j < StateTiles / 2; j++) load_transposed(b[part][j], &s.parts[part][k + (lane & 15)][n0 + 16 * j + (lane >> 4) * 8]);
                }
                UNROLL
                for (int part = 0; part < 3; part++)
                    UNROLL
                    for (int i = 0; i < 2; i++)
                        UNROLL
                        for (int j = 0; j < StateTiles; j++) multiply(sums[i][j], x[part / 2][i], b[part % 2][j / 2][j % 2 * 2], b[part % 2][j / 2][j % 2 * 2 + 1], Type());
            }
            if constexpr (Scaled<Type>) {
                float back = s.weightedBack;
                UNROLL
                for (int i = 0; i < 2; i++)
                    UNROLL
                    for (int j = 0; j < StateTiles; j++)
                        UNROLL
                        for (int q = 0; q < 4; q++) h[i][j][q] += added[i][j][q] * back;
            }
            show(m.h[(chunk + 1) & 1], m.hBack[(chunk + 1) & 1][slice], h, p, n);
        }
        UNROLL
        for (int i = 0; i < 2; i++)
            UNROLL
            for (int j = 0; j < StateTiles; j++)
                UNROLL
                for (int q = 0; q < 4; q++) {
                    int channel = 16 * i + p + q / 2 * 8, state = n + 8 * j + q % 2;
                    if (at.p0 + channel < a.headDim && state < a.states) at.state[(s64)channel * a.states + state] = h[i][j][q];
                }
    }
    METHOD void show(u16 (*to)[Channels][Row], float& back, const float (*h)[StateTiles][4], int p, int n) {
        float power = 1;
        if constexpr (Scaled<Type>) {
            float most = 0;
            UNROLL
            for (int i = 0; i < 2; i++)
                UNROLL
                for (int j = 0; j < StateTiles; j++) most = larger(most, most_of(F4{h[i][j][0], h[i][j][1], h[i][j][2], h[i][j][3]}));
            most = warp_max(most);
            power = power_for(most);
            if (THREAD % 32 == 0) back = power_back(most);
        }
        UNROLL
        for (int i = 0; i < 2; i++)
            UNROLL
            for (int j = 0; j < StateTiles; j++)
                UNROLL
                for (int half = 0; half < 2; half++) {
                    Split s = split<Type>(h[i][j][2 * half] * power, h[i][j][2 * half + 1] * power);
                    *(u32*)&to[0][16 * i + p + 8 * half][n + 8 * j] = s.high;
                    *(u32*)&to[1][16 * i + p + 8 * half][n + 8 * j] = s.low;
                }
    }

    /// What a thread that prepares chunks has fetched of the next: steps of rows 2 · lane and 2 · lane + 1, and channels of a few rows.
    struct Fetched { float dt[2]; F2 back[2]; Strip<Fours> x; };
    METHOD int row_own() { return (THREAD - Makers - Keepers) / (Channels / 4) * Fours; }
    METHOD int column_own() { return (THREAD - Makers - Keepers) % (Channels / 4) * 4; }
    METHOD void fetch(const SsdChunkArguments& t, const Place& at, Fetched& f, int chunk) {
        const SsdArguments& a = t.scan;
        int lane = THREAD % 32, first = at.start + chunk * Chunk, left = at.length - chunk * Chunk;
        UNROLL
        for (int i = 0; i < 2; i++) {
            f.dt[i] = 2 * lane + i < left ? row_of(a.dt, first + 2 * lane + i)[at.head] : 0.f;
            f.back[i] = Scaled<Type> && 2 * lane + i < left ? t.back[(s64)(first + 2 * lane + i) * a.groups + at.group] : F2{0, 0};
        }
        f.x.fetch(a, a.x, t.x, BLOCK_Y, at.start, at.length, chunk * Chunk + row_own(), at.head * a.headDim + at.p0 + column_own(), a.headDim - at.p0 - column_own());
    }
    /// The channels as they are scanned, of the rows that there are.
    METHOD void convolve(const SsdChunkArguments& t, const Fetched& f, const Weights4& taps, F4* x, int left) {
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
    METHOD void copy(const SsdChunkArguments& t, const Place& at, Stage& s, int chunk) {
        constexpr int Eights = States / 8;
        int own = THREAD - Makers - Keepers, column = own % Eights * 8, first = at.start + chunk * Chunk, left = at.length - chunk * Chunk;
        const u16* from = t.parts + ((s64)first * t.scan.groups + at.group) * 4 * States + column;
        UNROLL
        for (int i = 0; i < Chunk / (Servers / Eights); i++) {
            int row = i * (Servers / Eights) + own / Eights;
            const u16* at_row = from + (s64)(row < left ? row : 0) * t.scan.groups * 4 * States;
            UNROLL
            for (int part = 0; part < 4; part++) copy_async(&s.parts[part][row][column], at_row + part * States, row < left);
        }
        commit_copies();
    }
    METHOD void prepare(Stage& s, const Fetched& f, const F4* channels, const float* most, float A, float bias, int left) {
        int own = THREAD - Makers - Keepers, lane = own % 32;
        float delta[2];
        UNROLL
        for (int i = 0; i < 2; i++) {
            delta[i] = softplus(f.dt[i] + bias);
            delta[i] = 2 * lane + i < left ? delta[i] : 0.f;
        }
        double later = delta[1] * A, all = (double)(delta[0] * A) + later, since[2] = { 0, all };
        UNROLL
        for (int mask = 1; mask < 32; mask *= 2) {
            double other = exchange(all, mask);
            since[1] += lane & mask ? other : 0.0;
            all += other;
        }
        since[0] = since[1] - later;
        float rest[2];
        UNROLL
        for (int i = 0; i < 2; i++) rest[i] = delta[i] * exp2_fast((float)(all - since[i]));
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
                float high = (float)since[i];
                s.since[0][2 * lane + i] = high;
                s.since[1][2 * lane + i] = (float)(since[i] - high);
                s.delta[2 * lane + i] = delta[i] * back[i];
                s.out[2 * lane + i] = exp2_fast(high) * outBack[i];
                s.back[2 * lane + i] = back[i];
            }
            if (lane == 0) s.all = exp2_fast((float)all);
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
    METHOD void serve(const SsdChunkArguments& t, Shared& m, const Place& at) {
        const SsdArguments& a = t.scan;
        float A = a.A[at.head] * Log2E, bias = a.bias[at.head];
        Fetched f;
        F4 x[Fours];
        Weights4 taps;
        taps.load(t.x, at.head * a.headDim + at.p0 + column_own(), a.headDim - at.p0 - column_own());
        fetch(t, at, f, 0);
        if (Scaled<Type>) {
            convolve(t, f, taps, x, at.length);
            note(x, m.most[0]);
            sync();
        }
        for (int chunk = 0; chunk < at.chunks; chunk++) {
            Stage& s = m.stages[chunk & 1];
            int left = at.length - chunk * Chunk;
            copy(t, at, s, chunk);
            if (!Scaled<Type>) convolve(t, f, taps, x, left);
            prepare(s, f, x, m.most[chunk & 1], A, bias, left);
            if (chunk + 1 < at.chunks) fetch(t, at, f, chunk + 1);
            wait_copies<0>();
            if (Scaled<Type>) {
                convolve(t, f, taps, x, left - Chunk);
                note(x, m.most[(chunk + 1) & 1]);
            }
            sync();     // and the chunk before has been used
        }
        if (t.x.weight) move_windows(t, at);
    }
    /// Those of this block's channels; those of B and C, which the first kernel has read, fall to the first block of a group.
    METHOD void move_windows(const SsdChunkArguments& t, const Place& at) {
        const SsdArguments& a = t.scan;
        int own = THREAD - Makers - Keepers;
        if (own < Channels && at.p0 + own < a.headDim) advance_window(a, a.x, t.x, BLOCK_Y, at.head * a.headDim + at.p0 + own);
        if (at.p0 > 0 || at.head % (a.heads / a.groups) > 0) return;
        for (int n = own; n < a.states; n += Servers) {
            advance_window(a, a.b, t.b, BLOCK_Y, at.group * a.states + n);
            advance_window(a, a.c, t.c, BLOCK_Y, at.group * a.states + n);
        }
    }

    METHOD void run(const SsdChunkArguments& t, Shared& m) {
        const SsdArguments& a = t.scan;
        int sequence = BLOCK_Y;
        if (sequence >= a.batch.counts[SequenceCount]) return;
        int blocksOfHead = (a.headDim + Channels - 1) / Channels, head = BLOCK_X / blocksOfHead, p0 = (BLOCK_X - head * blocksOfHead) * Channels, length = a.batch.lengths[sequence];
        float* state = (float*)a.batch.slots[sequence] + a.state + (s64)(head * a.headDim + p0) * a.states;
        Place at = { head, p0, head / (a.heads / a.groups), a.batch.starts[sequence], length, (length + Chunk - 1) / Chunk, state };
        if (THREAD < Makers) make(t, m, at);
        else if (THREAD < Makers + Keepers) keep(t, m, at);
        else serve(t, m, at);
    }
};

#define SSD_KERNELS(name, Type, states) \
    KERNEL(name##_pairs_##states, SsdChunkArguments, 128) { \
        SHARED Pairs<Type, states>::Shared memory; \
        Pairs<Type, states>::run(a, memory); \
    } \
    KERNEL_ROOMY(name##_chunks_##states, SsdChunkArguments, 384) { \
        DYNAMIC_SHARED(memory); \
        Chunks<Type, states>::run(a, *(Chunks<Type, states>::Shared*)memory); \
    }
