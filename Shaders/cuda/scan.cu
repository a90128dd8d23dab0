// SelectiveScan (Mamba-1): sequential in time, parallel over channels and groups of states. A block has sixteen channels, and eight half warps share their states,
// which stay in registers. Time goes by tiles of rows: while one is in work, the next is on its way to registers.
// The state is [channels, states] of a slot, as in the canonical state.
#include "halves.h"

struct ScanArguments {
    Batch batch;
    Matrix u, dt, b, c, z, y;
    const float *A, *D, *bias;
    s64 state;              // floats from the beginning of a slot
    int states;
    Rounding half;          // of y
};

static constexpr int Channels = 16, Groups = 8, Threads = Channels * Groups;

/// States n = group · Per + i of a channel in a thread; Tile rows at a time, in batches.
template<int Per, int Tile, int Batch> struct Scan {
    static constexpr int Most = Per * Groups, Elements = Tile * Channels / Threads, Pairs = Tile * Most / Threads, RowPadding = Channels;
    /// What a thread fetches of a tile: of its own elements row i · 8 + thread / 16, channel thread % 16; of B and C the element i · Threads + thread.
    struct Fetched { float dt[Elements], u[Elements], z[Elements], b[Pairs], c[Pairs]; };
    struct Shared {
        F2 steps[Tile][Channels];                                   // Δ, Δ · u
        alignas(16) float bc[Tile][Groups][2][Per];                 // B and C of a group's states
        float sums[Tile][Groups * Channels + RowPadding];           // padded: a warp reads two rows
    };

    /// Where a thread's elements of the next tile lie.
    struct Cursor { const float *dt, *u, *z, *b, *c; };
    METHOD Cursor cursor(const ScanArguments& a, int start, int channel) {
        int row = start + THREAD / Channels, pair = start + THREAD / Most, n = THREAD % Most;
        return Cursor{row_of(a.dt, row) + channel, row_of(a.u, row) + channel, row_of(a.z, row) + channel, row_of(a.b, pair) + n, row_of(a.c, pair) + n};
    }
    METHOD void fetch(const ScanArguments& a, Fetched& f, Cursor& from, int left, bool there) {
        UNROLL
        for (int i = 0; i < Elements; i++) {
            s64 row = i * (Threads / Channels);
            bool read = there && (int)row + THREAD / Channels < left;
            f.dt[i] = read ? from.dt[row * a.dt.stride] : 0.f;
            f.u[i] = read ? from.u[row * a.u.stride] : 0.f;
            f.z[i] = read ? from.z[row * a.z.stride] : 0.f;
        }
        UNROLL
        for (int i = 0; i < Pairs; i++) {
            s64 row = i * Threads / Most, column = i * Threads % Most;
            bool read = (int)row + THREAD / Most < left && (int)column + THREAD % Most < a.states;
            f.b[i] = read ? from.b[row * a.b.stride + column] : 0.f;
            f.c[i] = read ? from.c[row * a.c.stride + column] : 0.f;
        }
        from.dt += (s64)Tile * a.dt.stride;
        from.u += (s64)Tile * a.u.stride;
        from.z += (s64)Tile * a.z.stride;
        from.b += (s64)Tile * a.b.stride;
        from.c += (s64)Tile * a.c.stride;
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

    METHOD void run(const ScanArguments& a, Shared& m) {
        int sequence = BLOCK_Y;
        if (sequence >= a.batch.counts[SequenceCount]) return;
        int own = THREAD % Channels, group = THREAD / Channels, channel = BLOCK_X * Channels + own, row0 = THREAD / Channels;
        int start = a.batch.starts[sequence], end = start + a.batch.lengths[sequence];
        bool there = channel < a.u.width;
        float* state = (float*)a.batch.slots[sequence] + a.state + (s64)channel * a.states + group * Per;
        float h[Per], A[Per], bias = there ? a.bias[channel] : 0.f, D = there ? a.D[channel] : 0.f;
        UNROLL
        for (int i = 0; i < Per; i++) {
            bool has = there && group * Per + i < a.states;
            h[i] = has ? state[i] : 0.f;
            A[i] = has ? a.A[(s64)channel * a.states + group * Per + i] * Log2E : 0.f;
        }
        Fetched f;
        Cursor from = cursor(a, start, channel);
        fetch(a, f, from, end - start, there);
        for (int t0 = start; t0 < end; t0 += Tile) {
            int rows = end - t0 < Tile ? end - t0 : Tile;
            float du[Elements], gate[Elements];
            UNROLL
            for (int i = 0; i < Elements; i++) {
                // A row beyond the end changes nothing: its step is no time.
                float delta = softplus(f.dt[i] + bias);
                delta = i * (Threads / Channels) + row0 < rows ? delta : 0.f;
                m.steps[i * (Threads / Channels) + row0][own] = F2{delta, delta * f.u[i]};
                du[i] = D * f.u[i];
                gate[i] = silu(f.z[i]);
            }
            UNROLL
            for (int i = 0; i < Pairs; i++) {
                int e = i * Threads + THREAD, t = e / Most, n = e % Most;
                m.bc[t][n / Per][0][n % Per] = f.b[i];
                m.bc[t][n / Per][1][n % Per] = f.c[i];
            }
            sync();
            if (t0 + Tile < end) fetch(a, f, from, end - t0 - Tile, there);
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
                for (int i = 0; i < Batch; i++) m.sums[t + i][group * Channels + own] = sums[i];
                now = next;
            }
            sync();
            UNROLL
            for (int i = 0; i < Elements; i++) {
                int t = i * (Threads / Channels) + row0;
                float sum = du[i];
                UNROLL
                for (int g = 0; g < Groups; g++) sum += m.sums[t][g * Channels + own];
                if (there && t < rows) deliver_plain(a.y, a.half, t0 + t, channel, sum * gate[i]);
            }
        }
        UNROLL
        for (int i = 0; i < Per; i++)
            if (there && group * Per + i < a.states) state[i] = h[i];
    }
};

#define KERNELS(most, tile, batch) \
    KERNEL(selective_scan_##most, ScanArguments, 128) { \
        SHARED Scan<most / Groups, tile, batch>::Shared memory; \
        Scan<most / Groups, tile, batch>::run(a, memory); \
    }
KERNELS(16, 32, 8)
KERNELS(32, 32, 4)
KERNELS(128, 16, 1)
