// SsdScan (Mamba-2): sequential in time, parallel over channels and groups of states. A block has 32 channels of one head; a thread keeps Per states of four of
// them in registers. Time goes by tiles of rows. Half of the warps only take steps; the others meanwhile finish the rows of the tile before, prepare those of
// the next, and have the one after that on its way to registers.
// There is one decay a head and row. Within a tile the state is kept as g = h / P, where P is the product of the decays since it began, which saves a
// multiplication a state and row; a tile in which P falls below 2^-30 is done without.
// The state is [channels, states] of a slot, as in the canonical state.
#include "ssd.h"

static constexpr int Channels = 32, Quad = 4, Quads = Channels / Quad, Groups = 16, Threads = Quads * Groups, Warps = Threads / 32;
static constexpr float LeastLog = -30.f;

template<int Per, int Tile> struct Ssd {
    static constexpr int Most = Per * Groups, Elements = Tile * Channels / Threads, Fours = Tile * Most / 4 / Threads;
    struct Fetched { float dt, x[Elements]; F4 b[Fours], c[Fours]; };
    struct Shared {
        alignas(16) float b[Tile][Most], c[Tile][Most], x[Tile][Channels], sums[Tile][Warps][Channels];
        float keep[Tile];
        float left;     // what the scaled state is multiplied by at the tile's end; 0 where it is not scaled
    };

    /// Where a thread's elements of the next tile lie.
    struct Cursor { const float *dt, *x, *b, *c; };
    static constexpr int FoursOfRow = Most / 4, RowsAtOnce = Threads / FoursOfRow > 0 ? Threads / FoursOfRow : 1;
    METHOD Cursor cursor(const SsdArguments& a, int start, int head, int channel, int group) {
        int own = THREAD % Threads, row = start + own / FoursOfRow, n = group * a.states + own % FoursOfRow * 4;
        return Cursor{row_of(a.dt, start + own % 32) + head, row_of(a.x, start + own / 32) + channel, row_of(a.b, row) + n, row_of(a.c, row) + n};
    }
    /// Every warp has the steps of all rows of a tile, one a lane; a thread has its channel of rows i · 4 + warp.
    METHOD void fetch(const SsdArguments& a, Fetched& f, Cursor& from, int left, bool there) {
        int own = THREAD % Threads, lane = own % 32, row = own / FoursOfRow, n = own % FoursOfRow * 4;
        f.dt = lane < Tile && lane < left ? *from.dt : 0.f;
        UNROLL
        for (int i = 0; i < Elements; i++) {
            s64 t = i * (Threads / Channels);
            f.x[i] = there && (int)t + own / 32 < left ? from.x[t * a.x.stride] : 0.f;
        }
        if (a.wide) {
            UNROLL
            for (int i = 0; i < Fours; i++) {
                s64 t = i * RowsAtOnce;
                bool read = (int)t + row < left && n < a.states;
                f.b[i] = read ? *(const F4*)(from.b + t * a.b.stride) : F4{0, 0, 0, 0};
                f.c[i] = read ? *(const F4*)(from.c + t * a.c.stride) : F4{0, 0, 0, 0};
            }
        } else {
            UNROLL
            for (int i = 0; i < Fours; i++) {
                s64 t = i * RowsAtOnce;
                int count = (int)t + row < left ? a.states - n : 0;
                f.b[i] = some_of(from.b + t * a.b.stride, count);
                f.c[i] = some_of(from.c + t * a.c.stride, count);
            }
        }
        from.dt += (s64)Tile * a.dt.stride;
        from.x += (s64)Tile * a.x.stride;
        from.b += (s64)Tile * a.b.stride;
        from.c += (s64)Tile * a.c.stride;
    }

    /// What a step of time reads: fetched from shared memory before the sums of the step before are written there, so that nothing waits for that.
    struct Ahead { F4 x; float keep, b[Per], c[Per]; };
    METHOD void look(const Shared& m, Ahead& f, int t, int quad, int part) {
        f.x = *(const F4*)&m.x[t][quad * Quad];
        f.keep = m.keep[t];
        UNROLL
        for (int i = 0; i < Per; i++) {
            f.b[i] = m.b[t][part * Per + i];
            f.c[i] = m.c[t][part * Per + i];
        }
    }
    template<bool Kept> METHOD float advance(const Ahead& f, float (*h)[Per]) {
        float x[Quad] = { f.x.x, f.x.y, f.x.z, f.x.w }, sums[Quad];
        UNROLL
        for (int i = 0; i < Per; i++)
            UNROLL
            for (int q = 0; q < Quad; q++) {
                h[q][i] = (Kept ? h[q][i] * f.keep : h[q][i]) + f.b[i] * x[q];
                sums[q] = i == 0 ? h[q][i] * f.c[i] : sums[q] + h[q][i] * f.c[i];
            }
        // Over the four parts in a warp, each lane left with one of the four channels.
        bool upper = THREAD & Quads, last = THREAD & 2 * Quads;
        float first = (upper ? sums[2] : sums[0]) + exchange(upper ? sums[0] : sums[2], Quads), second = (upper ? sums[3] : sums[1]) + exchange(upper ? sums[1] : sums[3], Quads);
        return (last ? second : first) + exchange(last ? first : second, 2 * Quads);
    }
    template<bool Kept> METHOD void steps(Shared& m, int rows, int quad, int part, float (*h)[Per]) {
        Ahead now;
        look(m, now, 0, quad, part);
        _Pragma("unroll 4")
        for (int t = 0; t < rows; t++) {
            Ahead next;
            if constexpr (Per > 8) {    // no registers for two
                look(m, now, t, quad, part);
                next = now;
            } else look(m, next, t + 1 < Tile ? t + 1 : t, quad, part);
            m.sums[t][part / 4][quad * Quad + part % 2 * 2 + part / 2 % 2] = advance<Kept>(now, h);
            now = next;
        }
    }

    struct Place { int head, p0, group, sequence, start, length, tiles; };

    /// The warps that take the steps.
    METHOD void walk(const SsdArguments& a, Shared* m, const Place& at) {
        int quad = THREAD % Quads, part = THREAD / Quads, p = at.p0 + quad * Quad;
        float* state = (float*)a.batch.slots[at.sequence] + a.state + (s64)(at.head * a.headDim + p) * a.states + part * Per;
        float h[Quad][Per];
        UNROLL
        for (int q = 0; q < Quad; q++)
            UNROLL
            for (int i = 0; i < Per; i++) h[q][i] = p + q < a.headDim && part * Per + i < a.states ? state[(s64)q * a.states + i] : 0.f;
        for (int tile = 0; tile < at.tiles; tile++) {
            meet(2 * Threads);     // it is prepared
            Shared& s = m[tile & 1];
            int rows = at.length - tile * Tile < Tile ? at.length - tile * Tile : Tile;
            float left = s.left;
            if (left == 0) {
                steps<true>(s, rows, quad, part, h);
                continue;
            }
            steps<false>(s, rows, quad, part, h);
            UNROLL
            for (int q = 0; q < Quad; q++)
                UNROLL
                for (int i = 0; i < Per; i++) h[q][i] *= left;
        }
        meet(2 * Threads);
        UNROLL
        for (int q = 0; q < Quad; q++)
            UNROLL
            for (int i = 0; i < Per; i++)
                if (p + q < a.headDim && part * Per + i < a.states) state[(s64)q * a.states + i] = h[q][i];
    }

    /// What is kept of a tile until its sums are there: what they are multiplied by, and D · x.
    struct Kept { float scale[Elements], dx[Elements]; };
    METHOD void prepare(const Fetched& f, Shared& s, Kept& kept, int rows, float A, float bias, float D) {
        int own = THREAD % Threads, lane = own % 32, warp = own / 32;
        float delta = softplus(f.dt + bias);
        delta = lane < Tile && lane < rows ? delta : 0.f;
        float decay = delta * A, since = decay, all = decay;
        UNROLL
        for (int mask = 1; mask < Tile; mask *= 2) {
            float other = exchange(all, mask);
            since += lane & mask ? other : 0.f;
            all += other;
        }
        all = exchange(all, lane);      // that of lane 0: lanes beyond a tile's rows have none
        bool scaled = all > LeastLog;
        float in = scaled ? delta * exp2_fast(-since) : delta, out = scaled ? exp2_fast(since) : 1.f;
        if (own < Tile) s.keep[own] = exp2_fast(decay);
        if (own == 0) s.left = scaled ? exp2_fast(all) : 0.f;
        UNROLL
        for (int i = 0; i < Elements; i++) {
            int t = i * Warps + warp;
            s.x[t][lane] = f.x[i] * exchange(in, lane ^ t);
            kept.scale[i] = exchange(out, lane ^ t);
            kept.dx[i] = D * f.x[i];
        }
        UNROLL
        for (int i = 0; i < Fours; i++) {
            int e = i * Threads + own, t = e / FoursOfRow, n = e % FoursOfRow * 4;
            *(F4*)&s.b[t][n] = f.b[i];
            *(F4*)&s.c[t][n] = f.c[i];
        }
    }
    METHOD void finish(const SsdArguments& a, const Shared& s, const Kept& kept, int t0, int rows, int channel, bool there) {
        int own = THREAD % Threads, lane = own % 32, warp = own / 32;
        UNROLL
        for (int i = 0; i < Elements; i++) {
            int t = i * Warps + warp;
            float sum = 0;
            UNROLL
            for (int w = 0; w < Warps; w++) sum += s.sums[t][w][lane];
            if (there && t < rows) row_of(a.y, t0 + t)[channel] = sum * kept.scale[i] + kept.dx[i];
        }
    }
    /// The others.
    METHOD void serve(const SsdArguments& a, Shared* m, const Place& at) {
        int lane = THREAD % 32, channel = at.head * a.headDim + at.p0 + lane;
        bool there = at.p0 + lane < a.headDim;
        float A = a.A[at.head] * Log2E, bias = a.bias[at.head], D = a.D[at.head];
        Fetched f;
        Kept before, now, next;
        Cursor from = cursor(a, at.start, at.head, channel, at.group);
        fetch(a, f, from, at.length, there);
        prepare(f, m[0], now, at.length, A, bias, D);
        fetch(a, f, from, at.length - Tile, there);
        for (int tile = 0; tile < at.tiles; tile++) {
            meet(2 * Threads);
            if (tile > 0) finish(a, m[(tile + 1) & 1], before, at.start + (tile - 1) * Tile, Tile, channel, there);
            if (tile + 1 < at.tiles) {
                prepare(f, m[(tile + 1) & 1], next, at.length - (tile + 1) * Tile, A, bias, D);
                fetch(a, f, from, at.length - (tile + 2) * Tile, there);
            }
            before = now;
            now = next;
        }
        meet(2 * Threads);
        int last = at.tiles - 1;
        finish(a, m[last & 1], before, at.start + last * Tile, at.length - last * Tile, channel, there);
    }

    METHOD void run(const SsdArguments& a, Shared* m) {
        int sequence = BLOCK_Y;
        if (sequence >= a.batch.counts[SequenceCount]) return;
        int blocksOfHead = (a.headDim + Channels - 1) / Channels, head = BLOCK_X / blocksOfHead, length = a.batch.lengths[sequence];
        Place at = { head, (BLOCK_X - head * blocksOfHead) * Channels, head / (a.heads / a.groups), sequence, a.batch.starts[sequence], length, (length + Tile - 1) / Tile };
        if (THREAD < Threads) walk(a, m, at);
        else serve(a, m, at);
    }
};

#define KERNELS(most, tile) \
    KERNEL_ROOMY(ssd_scan_##most, SsdArguments, 256) { \
        DYNAMIC_SHARED(memory); \
        Ssd<most / Groups, tile>::run(a, (Ssd<most / Groups, tile>::Shared*)memory); \
    }
KERNELS(64, 16)
KERNELS(128, 16)
KERNELS(256, 8)
