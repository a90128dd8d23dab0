// SelectiveScan (Mamba-1): sequential in time, parallel over channels and groups of states. A block has sixteen channels, whose states half warps share
// and keep in registers. Time goes by tiles of rows: while one is in work, the next is on its way to registers, four channels of a row a thread.
// The state is [channels, states] of a slot, as in the canonical state.
#include "scan.h"

static constexpr int Channels = 16, Quads = Channels / 4;

/// States n = group · Per + i of a channel in a thread; Tile rows at a time, in batches.
template<int Per, int Groups, int Tile, int Batch> struct Scan {
    static constexpr int Threads = Channels * Groups, Most = Per * Groups, RowPadding = Channels;
    /// A thread prepares and finishes four channels of one row, and fetches four states of B and C of some rows: other threads than those, where these share them evenly.
    static constexpr int Preparing = Tile * Quads, Fours = Most / 4, Others = Threads - Preparing;
    static constexpr int Sharing = Others > 0 && Others % Fours == 0 && Tile * Fours % Others == 0 ? Others : Threads, Pairs = Tile * Fours / Sharing;
    struct Fetched { F4 dt, u, z, b[Pairs], c[Pairs]; };
    struct Shared {
        alignas(16) F2 steps[Tile][Channels];                       // Δ, Δ · u
        alignas(16) float bc[Tile][Groups][2][Per];                 // B and C of a group's states
        alignas(16) float sums[Tile][Threads + RowPadding];         // padded: eight threads read two rows
    };

    /// Where a thread's elements of the next tile lie.
    struct Cursor { const float *dt, *u, *z, *b, *c; };
    METHOD int row_own() { return THREAD / Quads; }
    METHOD int pair_own() { return THREAD - (Threads - Sharing); }
    METHOD Cursor cursor(const ScanArguments& a, int start, int channel) {
        int row = start + row_own(), pair = start + pair_own() / Fours, n = pair_own() % Fours * 4;
        return Cursor{row_of(a.dt, row) + channel, row_of(a.u, row) + channel, row_of(a.z, row) + channel, row_of(a.b, pair) + n, row_of(a.c, pair) + n};
    }
    METHOD void fetch(const ScanArguments& a, Fetched& f, Cursor& from, int left, int channels) {
        if (THREAD < Preparing) {
            int count = row_own() < left ? channels : 0;
            f.dt = read_four(from.dt, count, a.wide);
            f.u = read_four(from.u, count, a.wide);
            f.z = read_four(from.z, count, a.wide);
        }
        if (pair_own() >= 0) {
            UNROLL
            for (int i = 0; i < Pairs; i++) {
                s64 row = i * (Sharing / Fours);
                int count = (int)row + pair_own() / Fours < left ? a.states - pair_own() % Fours * 4 : 0;
                f.b[i] = read_four(from.b + row * a.b.stride, count, a.wide);
                f.c[i] = read_four(from.c + row * a.c.stride, count, a.wide);
            }
        }
        from.dt += (s64)Tile * a.dt.stride;
        from.u += (s64)Tile * a.u.stride;
        from.z += (s64)Tile * a.z.stride;
        from.b += (s64)Tile * a.b.stride;
        from.c += (s64)Tile * a.c.stride;
    }

    /// What is kept of four outputs until their sums are there: D · u, and what they are multiplied by.
    struct Kept { F4 du, gate; };
    METHOD void prepare(Shared& m, const Fetched& f, Kept& kept, int rows, F4 bias, F4 D) {
        if (THREAD < Preparing) {
            // A row beyond the end changes nothing: its step is no time.
            bool there = row_own() < rows;
            F4 delta = { quick_softplus(f.dt.x + bias.x), quick_softplus(f.dt.y + bias.y), quick_softplus(f.dt.z + bias.z), quick_softplus(f.dt.w + bias.w) };
            if (!there) delta = F4{0, 0, 0, 0};
            F4* to = (F4*)&m.steps[row_own()][THREAD % Quads * 4];
            to[0] = F4{delta.x, delta.x * f.u.x, delta.y, delta.y * f.u.y};
            to[1] = F4{delta.z, delta.z * f.u.z, delta.w, delta.w * f.u.w};
            kept.du = F4{D.x * f.u.x, D.y * f.u.y, D.z * f.u.z, D.w * f.u.w};
            kept.gate = F4{quick_silu(f.z.x), quick_silu(f.z.y), quick_silu(f.z.z), quick_silu(f.z.w)};
        }
        if (pair_own() >= 0) {
            UNROLL
            for (int i = 0; i < Pairs; i++) {
                int t = i * (Sharing / Fours) + pair_own() / Fours, n = pair_own() % Fours * 4;
                float* to = m.bc[t][n / Per][0] + n % Per;
                if constexpr (Per == 2) {
                    ((F4*)to)[0] = F4{f.b[i].x, f.b[i].y, f.c[i].x, f.c[i].y};
                    ((F4*)to)[1] = F4{f.b[i].z, f.b[i].w, f.c[i].z, f.c[i].w};
                } else {
                    *(F4*)to = f.b[i];
                    *(F4*)(to + Per) = f.c[i];
                }
            }
        }
    }
    METHOD void finish(const ScanArguments& a, const Shared& m, const Kept& kept, int t0, int rows, int channel, int channels) {
        if (THREAD >= Preparing || row_own() >= rows || channels <= 0) return;
        F4 sum = kept.du;
        UNROLL
        for (int g = 0; g < Groups; g++) {
            F4 part = *(const F4*)&m.sums[row_own()][g * Channels + THREAD % Quads * 4];
            sum = F4{sum.x + part.x, sum.y + part.y, sum.z + part.z, sum.w + part.w};
        }
        sum = F4{sum.x * kept.gate.x, sum.y * kept.gate.y, sum.z * kept.gate.z, sum.w * kept.gate.w};
        int row = t0 + row_own();
        if (a.wide) {
            deliver_four_plain(a.y, a.half, row, channel, sum);
            return;
        }
        deliver_plain(a.y, a.half, row, channel, sum.x);
        if (channels > 1) deliver_plain(a.y, a.half, row, channel + 1, sum.y);
        if (channels > 2) deliver_plain(a.y, a.half, row, channel + 2, sum.z);
        if (channels > 3) deliver_plain(a.y, a.half, row, channel + 3, sum.w);
    }

    /// What a few steps of time read: fetched from shared memory before the sums of the steps before are written there, so that nothing waits for that.
    struct Ahead { F2 steps[Batch]; float b[Batch][Per], c[Batch][Per]; };
    METHOD void look(const Shared& m, Ahead& f, int t0, int group, int own) {
        UNROLL
        for (int t = 0; t < Batch; t++) {
            f.steps[t] = m.steps[t0 + t][own];
            UNROLL
            for (int i = 0; i < Per; i++) {
                f.b[t][i] = m.bc[t0 + t][group][0][i];
                f.c[t][i] = m.bc[t0 + t][group][1][i];
            }
        }
    }
    /// Those steps; the parts of y that this thread's states make.
    METHOD void advance(const Ahead& f, const float* A, float* h, float* sums) {
        UNROLL
        for (int t = 0; t < Batch; t++) {
            float sum = 0;
            UNROLL
            for (int i = 0; i < Per; i++) {
                h[i] = h[i] * exp2_fast(f.steps[t].x * A[i]) + f.b[t][i] * f.steps[t].y;
                sum = i == 0 ? h[i] * f.c[t][i] : sum + h[i] * f.c[t][i];
            }
            sums[t] = sum;
        }
    }
    METHOD void steps(Shared& m, int rows, int group, int own, const float* A, float* h) {
        Ahead now;
        look(m, now, 0, group, own);
        UNROLL
        for (int t = 0; t < Tile; t += Batch) {
            if (t >= rows) break;
            Ahead next = now;
            if (t + Batch < Tile) look(m, next, t + Batch, group, own);
            float sums[Batch];
            advance(now, A, h, sums);
            UNROLL
            for (int i = 0; i < Batch; i++) m.sums[t + i][THREAD] = sums[i];
            now = next;
        }
    }

    METHOD void run(const ScanArguments& a, Shared& m) {
        int sequence = BLOCK_Y;
        if (sequence >= a.batch.counts[SequenceCount]) return;
        int own = THREAD % Channels, group = THREAD / Channels, channel = BLOCK_X * Channels + own;
        int start = a.batch.starts[sequence], end = start + a.batch.lengths[sequence];
        float h[Per], A[Per], *state = begin_states<Per>(a, sequence, channel, group * Per, h, A);
        int quad = BLOCK_X * Channels + THREAD % Quads * 4, channels = a.u.width - quad;
        F4 bias = read_four(a.bias + quad, channels, 0), D = read_four(a.D + quad, channels, 0);
        Fetched f;
        Cursor from = cursor(a, start, quad);
        fetch(a, f, from, end - start, channels);
        for (int t0 = start; t0 < end; t0 += Tile) {
            int rows = end - t0 < Tile ? end - t0 : Tile;
            Kept kept;
            prepare(m, f, kept, rows, bias, D);
            sync();
            if (t0 + Tile < end) fetch(a, f, from, end - t0 - Tile, channels);
            steps(m, rows, group, own, A, h);
            sync();
            finish(a, m, kept, t0, rows, quad, channels);
        }
        end_states<Per>(a, channel, group * Per, h, state);
    }
};

#define KERNELS(most, per, tile, batch) \
    KERNEL(selective_scan_##most, ScanArguments, 16 * most / per) { \
        SHARED Scan<per, most / per, tile, batch>::Shared memory; \
        Scan<per, most / per, tile, batch>::run(a, memory); \
    }
KERNELS(32, 4, 32, 4)
KERNELS(128, 16, 16, 1)
KERNELS(256, 16, 8, 1)
