// SsdScan (Mamba-2): sequential in time, parallel over channels and groups of states. A block has 32 channels of one head; a thread keeps Per states of four of
// them in registers. Time goes by tiles of rows: while one is in work, the next is on its way to registers.
// There is one decay a head and row. Within a tile the state is kept as g = h / P, where P is the product of the decays since it began, which saves a
// multiplication a state and row; a tile in which P falls below 2^-30 is done without.
// The state is [channels, states] of a slot, as in the canonical state.
#include "common.h"

struct SsdArguments {
    Batch batch;
    Matrix x, dt, b, c, y;
    const float *A, *D, *bias;
    s64 state;              // floats from the beginning of a slot
    int heads, headDim, groups, states;
    int wide;               // whether B and C can be read four at a time
};

static constexpr int Channels = 32, Quad = 4, Quads = Channels / Quad, Groups = 16, Threads = Quads * Groups, Tile = 16;
static constexpr float LeastLog = -30.f;

template<int Per> struct Ssd {
    static constexpr int Most = Per * Groups, Elements = Tile * Channels / Threads, Fours = Tile * Most / 4 / Threads;
    struct Fetched { float dt, x[Elements]; F4 b[Fours], c[Fours]; };
    struct Shared {
        alignas(16) float b[Tile][Most], c[Tile][Most], x[Tile][Channels], sums[Tile][Groups][Channels];
        float keep[Tile];
    };

    /// Where a thread's elements of the next tile lie.
    struct Cursor { const float *dt, *x, *b, *c; };
    static constexpr int FoursOfRow = Most / 4, RowsAtOnce = Threads / FoursOfRow > 0 ? Threads / FoursOfRow : 1;
    METHOD Cursor cursor(const SsdArguments& a, int start, int head, int channel, int group) {
        int row = start + THREAD / FoursOfRow, n = group * a.states + THREAD % FoursOfRow * 4;
        return Cursor{row_of(a.dt, start + (THREAD & 31)) + head, row_of(a.x, start + (THREAD >> 5)) + channel, row_of(a.b, row) + n, row_of(a.c, row) + n};
    }
    METHOD F4 some(const float* from, int count) {
        return F4{count > 0 ? from[0] : 0.f, count > 1 ? from[1] : 0.f, count > 2 ? from[2] : 0.f, count > 3 ? from[3] : 0.f};
    }
    /// Every warp has the steps of all rows of a tile, one a lane; a thread has its channel of rows i · 4 + warp.
    METHOD void fetch(const SsdArguments& a, Fetched& f, Cursor& from, int left, bool there) {
        int lane = THREAD & 31, row = THREAD / FoursOfRow, n = THREAD % FoursOfRow * 4;
        f.dt = lane < Tile && lane < left ? *from.dt : 0.f;
        UNROLL
        for (int i = 0; i < Elements; i++) {
            s64 t = i * (Threads / Channels);
            f.x[i] = there && (int)t + (THREAD >> 5) < left ? from.x[t * a.x.stride] : 0.f;
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
                f.b[i] = some(from.b + t * a.b.stride, count);
                f.c[i] = some(from.c + t * a.c.stride, count);
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
    template<bool Kept> METHOD F4 advance(const Ahead& f, float (*h)[Per]) {
        float x[Quad] = { f.x.x, f.x.y, f.x.z, f.x.w }, sums[Quad];
        UNROLL
        for (int i = 0; i < Per; i++)
            UNROLL
            for (int q = 0; q < Quad; q++) {
                h[q][i] = (Kept ? h[q][i] * f.keep : h[q][i]) + f.b[i] * x[q];
                sums[q] = i == 0 ? h[q][i] * f.c[i] : sums[q] + h[q][i] * f.c[i];
            }
        return F4{sums[0], sums[1], sums[2], sums[3]};
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
            *(F4*)&m.sums[t][part][quad * Quad] = advance<Kept>(now, h);
            now = next;
        }
    }

    METHOD void run(const SsdArguments& a, Shared& m) {
        int sequence = BLOCK_Y;
        if (sequence >= a.batch.counts[SequenceCount]) return;
        int blocksOfHead = (a.headDim + Channels - 1) / Channels, head = BLOCK_X / blocksOfHead, p0 = (BLOCK_X - head * blocksOfHead) * Channels;
        int group = head / (a.heads / a.groups), lane = THREAD & 31, warp = THREAD >> 5, quad = THREAD % Quads, part = THREAD / Quads;
        int start = a.batch.starts[sequence], end = start + a.batch.lengths[sequence], channel = head * a.headDim + p0 + lane;
        bool there = p0 + lane < a.headDim;
        float A = a.A[head] * Log2E, bias = a.bias[head], D = a.D[head], h[Quad][Per];
        float* state = (float*)a.batch.slots[sequence] + a.state + (s64)(head * a.headDim + p0 + quad * Quad) * a.states + part * Per;
        UNROLL
        for (int q = 0; q < Quad; q++)
            UNROLL
            for (int i = 0; i < Per; i++) h[q][i] = p0 + quad * Quad + q < a.headDim && part * Per + i < a.states ? state[(s64)q * a.states + i] : 0.f;
        Fetched f;
        Cursor from = cursor(a, start, head, channel, group);
        fetch(a, f, from, end - start, there);
        for (int t0 = start; t0 < end; t0 += Tile) {
            int rows = end - t0 < Tile ? end - t0 : Tile;
            float delta = lane < rows ? softplus(f.dt + bias) : 0.f, decay = delta * A, since = decay, all = decay;
            UNROLL
            for (int mask = 1; mask < Tile; mask *= 2) {
                float other = exchange(all, mask);
                if (lane & mask) since += other;
                all += other;
            }
            all = exchange(all, lane);      // that of lane 0: beyond a tile's rows lanes have none
            bool scaled = all > LeastLog;
            float in = scaled ? delta * exp2_fast(-since) : delta, out = scaled ? exp2_fast(since) : 1.f, dx[Elements], scale[Elements];
            if (THREAD < Tile) m.keep[THREAD] = exp2_fast(decay);
            UNROLL
            for (int i = 0; i < Elements; i++) {
                int t = i * (Threads / Channels) + warp;
                m.x[t][lane] = f.x[i] * exchange(in, lane ^ t);
                scale[i] = exchange(out, lane ^ t);
                dx[i] = D * f.x[i];
            }
            UNROLL
            for (int i = 0; i < Fours; i++) {
                int e = i * Threads + THREAD, t = e / (Most / 4), n = e % (Most / 4) * 4;
                *(F4*)&m.b[t][n] = f.b[i];
                *(F4*)&m.c[t][n] = f.c[i];
            }
            sync();
            if (t0 + Tile < end) fetch(a, f, from, end - t0 - Tile, there);
            if (scaled) {
                steps<false>(m, rows, quad, part, h);
                float left = exp2_fast(all);
                UNROLL
                for (int q = 0; q < Quad; q++)
                    UNROLL
                    for (int i = 0; i < Per; i++) h[q][i] *= left;
            } else {
                steps<true>(m, rows, quad, part, h);
            }
            sync();
            UNROLL
            for (int i = 0; i < Elements; i++) {
                int t = i * (Threads / Channels) + warp;
                float sum = 0;
                UNROLL
                for (int g = 0; g < Groups; g++) sum += m.sums[t][g][lane];
                if (there && t < rows) row_of(a.y, t0 + t)[channel] = sum * scale[i] + dx[i];
            }
        }
        UNROLL
        for (int q = 0; q < Quad; q++)
            UNROLL
            for (int i = 0; i < Per; i++)
                if (p0 + quad * Quad + q < a.headDim && part * Per + i < a.states) state[(s64)q * a.states + i] = h[q][i];
    }
};

#define KERNELS(most) \
    KERNEL(ssd_scan_##most, SsdArguments, 128) { \
        DYNAMIC_SHARED(memory); \
        Ssd<most / Groups>::run(a, *(Ssd<most / Groups>::Shared*)memory); \
    }
KERNELS(64)
KERNELS(128)
KERNELS(256)
