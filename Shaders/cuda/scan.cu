// SelectiveScan (Mamba-1): sequential in time, parallel over channels and groups of states. A block has sixteen channels, and eight half warps share their states,
// which stay in registers. Time goes by tiles of rows. Half of the warps only take steps; the others meanwhile finish the rows of the tile before, prepare
// those of the next, and have the one after that on its way to registers.
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
        int own = THREAD % Threads, row = start + own / Channels, pair = start + own / Most, n = own % Most;
        return Cursor{row_of(a.dt, row) + channel, row_of(a.u, row) + channel, row_of(a.z, row) + channel, row_of(a.b, pair) + n, row_of(a.c, pair) + n};
    }
    METHOD void fetch(const ScanArguments& a, Fetched& f, Cursor& from, int left, bool there) {
        int own = THREAD % Threads;
        UNROLL
        for (int i = 0; i < Elements; i++) {
            s64 row = i * (Threads / Channels);
            bool read = there && (int)row + own / Channels < left;
            f.dt[i] = read ? from.dt[row * a.dt.stride] : 0.f;
            f.u[i] = read ? from.u[row * a.u.stride] : 0.f;
            f.z[i] = read ? from.z[row * a.z.stride] : 0.f;
        }
        UNROLL
        for (int i = 0; i < Pairs; i++) {
            s64 row = i * Threads / Most, column = i * Threads % Most;
            bool read = (int)row + own / Most < left && (int)column + own % Most < a.states;
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

    /// The warps that take the steps.
    METHOD void walk(const ScanArguments& a, Shared* m, int sequence, int tiles, int length) {
        int own = THREAD % Channels, group = THREAD / Channels, channel = BLOCK_X * Channels + own;
        bool there = channel < a.u.width;
        float* state = (float*)a.batch.slots[sequence] + a.state + (s64)channel * a.states + group * Per;
        float h[Per], A[Per];
        UNROLL
        for (int i = 0; i < Per; i++) {
            bool has = there && group * Per + i < a.states;
            h[i] = has ? state[i] : 0.f;
            A[i] = has ? a.A[(s64)channel * a.states + group * Per + i] * Log2E : 0.f;
        }
        for (int tile = 0; tile < tiles; tile++) {
            sync();     // it is prepared
            Shared& s = m[tile & 1];
            int rows = length - tile * Tile;
            Ahead now;
            look(s, now, 0, group, own);
            UNROLL
            for (int t = 0; t < Tile; t += Batch) {
                if (t >= rows) break;
                Ahead next = now;
                if (t + Batch < Tile) look(s, next, t + Batch, group, own);
                float sums[Batch];
                advance(now, A, h, sums);
                UNROLL
                for (int i = 0; i < Batch; i++) s.sums[t + i][group * Channels + own] = sums[i];
                now = next;
            }
        }
        sync();
        UNROLL
        for (int i = 0; i < Per; i++)
            if (there && group * Per + i < a.states) state[i] = h[i];
    }

    /// What is kept of a tile until its sums are there: D · u and the gate.
    struct Kept { float du[Elements], gate[Elements]; };
    METHOD void prepare(const Fetched& f, Shared& s, Kept& kept, int rows, float bias, float D) {
        int own = THREAD % Channels, row0 = THREAD % Threads / Channels;
        UNROLL
        for (int i = 0; i < Elements; i++) {
            // A row beyond the end changes nothing: its step is no time.
            float delta = softplus(f.dt[i] + bias);
            delta = i * (Threads / Channels) + row0 < rows ? delta : 0.f;
            s.steps[i * (Threads / Channels) + row0][own] = F2{delta, delta * f.u[i]};
            kept.du[i] = D * f.u[i];
            kept.gate[i] = silu(f.z[i]);
        }
        UNROLL
        for (int i = 0; i < Pairs; i++) {
            int e = i * Threads + THREAD % Threads, t = e / Most, n = e % Most;
            s.bc[t][n / Per][0][n % Per] = f.b[i];
            s.bc[t][n / Per][1][n % Per] = f.c[i];
        }
    }
    METHOD void finish(const ScanArguments& a, const Shared& s, const Kept& kept, int t0, int rows, int channel, bool there) {
        int own = THREAD % Channels, row0 = THREAD % Threads / Channels;
        UNROLL
        for (int i = 0; i < Elements; i++) {
            int t = i * (Threads / Channels) + row0;
            float sum = kept.du[i];
            UNROLL
            for (int g = 0; g < Groups; g++) sum += s.sums[t][g * Channels + own];
            if (there && t < rows) deliver_plain(a.y, a.half, t0 + t, channel, sum * kept.gate[i]);
        }
    }
    /// The others.
    METHOD void serve(const ScanArguments& a, Shared* m, int start, int tiles, int length) {
        int channel = BLOCK_X * Channels + THREAD % Channels;
        bool there = channel < a.u.width;
        float bias = there ? a.bias[channel] : 0.f, D = there ? a.D[channel] : 0.f;
        Fetched f;
        Kept before, now, next;
        Cursor from = cursor(a, start, channel);
        fetch(a, f, from, length, there);
        prepare(f, m[0], now, length, bias, D);
        fetch(a, f, from, length - Tile, there);
        for (int tile = 0; tile < tiles; tile++) {
            sync();
            if (tile > 0) finish(a, m[tile + 1 & 1], before, start + (tile - 1) * Tile, Tile, channel, there);
            if (tile + 1 < tiles) {
                prepare(f, m[tile + 1 & 1], next, length - (tile + 1) * Tile, bias, D);
                fetch(a, f, from, length - (tile + 2) * Tile, there);
            }
            before = now;
            now = next;
        }
        sync();
        finish(a, m[tiles + 1 & 1], before, start + (tiles - 1) * Tile, length - (tiles - 1) * Tile, channel, there);
    }

    METHOD void run(const ScanArguments& a, Shared* m) {
        int sequence = BLOCK_Y;
        if (sequence >= a.batch.counts[SequenceCount]) return;
        int length = a.batch.lengths[sequence], tiles = (length + Tile - 1) / Tile;
        if (THREAD < Threads) walk(a, m, sequence, tiles, length);
        else serve(a, m, a.batch.starts[sequence], tiles, length);
    }
};

#define KERNELS(most, tile, batch) \
    KERNEL_ROOMY(selective_scan_##most, ScanArguments, 256) { \
        DYNAMIC_SHARED(memory); \
        Scan<most / Groups, tile, batch>::run(a, (Scan<most / Groups, tile, batch>::Shared*)memory); \
    }
KERNELS(16, 32, 8)
KERNELS(32, 32, 4)
KERNELS(128, 16, 1)
