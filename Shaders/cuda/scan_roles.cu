// SelectiveScan (Mamba-1) of up to sixteen states, sequential in time. Exponentials bound it, and how long each takes to be there, so some of a block's warps do
// nothing but advance states, which they keep in registers, two a thread; the others bring rows, make Δ, Δ · u and the gate of a tile of rows to come, and add
// up, gate and write the outputs of a tile that is done. Where a block has a multiprocessor to itself, three times as many serve, a tile each: what they do for one
// takes longer than to advance by it. What is left for the others lies in shared memory, and nobody waits without need.
#include "scan.h"

template<int Channels, bool Wide, int Servants> struct Roles {
    static constexpr int Per = 2, Groups = 8, States = Per * Groups, Tile = 32, Pairs = Tile / 2, Advancing = Channels * Groups, Batch = 2, Batches = Pairs / Batch;
    static constexpr int Buffers = 2 * Servants, Twos = Channels / 2, Quads = States / 4, Abreast = Advancing / (2 * Quads), Bringing = (Tile + Abreast - 1) / Abreast;
    /// What is kept of a thread's outputs until their sums are there, by row: D · u, and what they are multiplied by.
    struct alignas(16) Kept { F4 du, gate; };
    struct Buffer {
        F4 steps[Pairs][Channels];                  // Δ and Δ · u of two rows
        F4 b[Pairs][Groups], c[Pairs][Groups];      // of a group's two states in two rows
        F2 sums[Pairs][Advancing + Channels];       // what a thread's states add to the outputs of two rows; padded: eight threads read two rows
        Kept kept[Advancing];                       // of each thread that finishes
    };

    /// A thread prepares and finishes two channels of two rows, and brings four states of B or C of some rows.
    struct Place { int pair, two; };
    METHOD Place place_of(int thread) { return Place{thread / Twos, thread % Twos}; }
    struct Fetched { F2 dt[2], u[2], z[2]; F4 shared[Bringing]; };
    /// Where a thread's elements of the next tile lie.
    struct Cursor { const float *dt, *u, *z, *shared; };
    METHOD const Matrix& shared_of(const ScanArguments& a, int thread) { return thread / Quads % 2 ? a.c : a.b; }
    METHOD Cursor cursor(const ScanArguments& a, int start, int thread, int channel) {
        int row = start + place_of(thread).pair * 2;
        return Cursor{row_of(a.dt, row) + channel, row_of(a.u, row) + channel, row_of(a.z, row) + channel,
            row_of(shared_of(a, thread), start + thread / (2 * Quads)) + thread % Quads * 4};
    }
    METHOD F2 two_of(const float* from, int count) {
        if constexpr (Wide) return load_fresh2_if(count > 0, from);
        else return F2{count > 0 ? from[0] : 0.f, count > 1 ? from[1] : 0.f};
    }
    METHOD F4 four_of(const float* from, int count) {
        if constexpr (Wide) return load_fresh4_if(count > 0, from);
        else return some_of(from, count);
    }
    METHOD void fetch(const ScanArguments& a, Fetched& f, Cursor& from, int left, int thread, int channels) {
        UNROLL
        for (int i = 0; i < 2; i++) {
            int count = place_of(thread).pair * 2 + i < left ? channels : 0;
            f.dt[i] = two_of(from.dt + i * a.dt.stride, count);
            f.u[i] = two_of(from.u + i * a.u.stride, count);
            f.z[i] = two_of(from.z + i * a.z.stride, count);
        }
        int stride = shared_of(a, thread).stride;
        UNROLL
        for (int i = 0; i < Bringing; i++) {
            int row = i * Abreast + thread / (2 * Quads);
            f.shared[i] = four_of(from.shared + i * Abreast * stride, row < Tile && row < left ? a.states - thread % Quads * 4 : 0);
        }
        from.dt += Servants * Tile * a.dt.stride;
        from.u += Servants * Tile * a.u.stride;
        from.z += Servants * Tile * a.z.stride;
        from.shared += Servants * Tile * stride;
    }

    METHOD void prepare(Buffer& m, const Fetched& f, int left, int thread, F2 bias, F2 D) {
        Place at = place_of(thread);
        UNROLL
        for (int i = 0; i < Bringing; i++) {
            int row = i * Abreast + thread / (2 * Quads), group = thread % Quads * 2;
            if (row >= Tile) break;
            F4* groups = (thread / Quads % 2 ? m.c : m.b)[row / 2] + group;
            ((F2*)groups)[row % 2] = F2{f.shared[i].x, f.shared[i].y};
            ((F2*)(groups + 1))[row % 2] = F2{f.shared[i].z, f.shared[i].w};
        }
        m.kept[thread] = Kept{F4{D.x * f.u[0].x, D.y * f.u[0].y, D.x * f.u[1].x, D.y * f.u[1].y},
            F4{quick_silu(f.z[0].x), quick_silu(f.z[0].y), quick_silu(f.z[1].x), quick_silu(f.z[1].y)}};
        F2 delta[2];
        UNROLL
        for (int i = 0; i < 2; i++) {
            bool there = at.pair * 2 + i < left;    // a row beyond the end changes nothing: its step is no time
            delta[i] = there ? F2{quick_softplus(f.dt[i].x + bias.x), quick_softplus(f.dt[i].y + bias.y)} : F2{0, 0};
        }
        F4* to = m.steps[at.pair] + at.two * 2;
        to[0] = F4{delta[0].x, delta[0].x * f.u[0].x, delta[1].x, delta[1].x * f.u[1].x};
        to[1] = F4{delta[0].y, delta[0].y * f.u[0].y, delta[1].y, delta[1].y * f.u[1].y};
    }
    METHOD void finish(const ScanArguments& a, const Buffer& m, int t0, int end, int thread, int channel) {
        Place at = place_of(thread);
        Kept kept = m.kept[thread];
        F4 sum = kept.du;       // two channels of a row, and of the row after
        _Pragma("unroll 4")     // registers for all at once are not there
        for (int g = 0; g < Groups; g++) {
            F4 part = *(const F4*)&m.sums[at.pair][g * Channels + at.two * 2];
            sum = F4{sum.x + part.x, sum.y + part.z, sum.z + part.y, sum.w + part.w};
        }
        F2 y[2] = { { sum.x * kept.gate.x, sum.y * kept.gate.y }, { sum.z * kept.gate.z, sum.w * kept.gate.w } };
        UNROLL
        for (int i = 0; i < 2; i++) {
            int row = t0 + at.pair * 2 + i;
            if (row >= end || channel >= a.u.width) break;
            if constexpr (Wide) deliver_two_plain(a.y, a.half, row, channel, y[i]);
            else {
                deliver_plain(a.y, a.half, row, channel, y[i].x);
                if (channel + 1 < a.u.width) deliver_plain(a.y, a.half, row, channel + 1, y[i].y);
            }
        }
    }

    /// Barriers of a buffer: what it holds may be read; its sums are there.
    enum Meeting { Ready = 1, Done = Ready + Buffers };

    /// What four rows of time read first, and what is made of it, with what they read last.
    struct Loaded { F4 step[Batch], b[Batch]; };
    struct Made { float left[2 * Batch][Per], added[2 * Batch][Per]; F4 c[Batch]; };
    METHOD void load(Loaded& to, const Buffer& from, int batch, int group, int own) {
        UNROLL
        for (int i = 0; i < Batch; i++) {
            to.step[i] = from.steps[batch * Batch + i][own];
            to.b[i] = from.b[batch * Batch + i][group];
        }
    }
    /// Products are rounded here: they would be joined with the sum that a step waits for.
    METHOD void make(Made& to, const Loaded& f, const Buffer& from, int batch, int group, const float* A) {
        UNROLL
        for (int i = 0; i < Batch; i++) {
            F4 step = f.step[i], b = f.b[i];
            to.c[i] = from.c[batch * Batch + i][group];
            UNROLL
            for (int n = 0; n < Per; n++) {
                to.left[2 * i][n] = exp2_fast(step.x * A[n]);
                to.left[2 * i + 1][n] = exp2_fast(step.z * A[n]);
            }
            to.added[2 * i][0] = mul_rounded(b.x, step.y);
            to.added[2 * i][1] = mul_rounded(b.y, step.y);
            to.added[2 * i + 1][0] = mul_rounded(b.z, step.w);
            to.added[2 * i + 1][1] = mul_rounded(b.w, step.w);
        }
    }
    METHOD void advance(Buffer& m, const Made& f, int batch, float* h) {
        UNROLL
        for (int i = 0; i < Batch; i++) {
            float sums[2];
            UNROLL
            for (int r = 0; r < 2; r++) {
                UNROLL
                for (int n = 0; n < Per; n++) h[n] = h[n] * f.left[2 * i + r][n] + f.added[2 * i + r][n];
                sums[r] = h[0] * (r ? f.c[i].z : f.c[i].x) + h[1] * (r ? f.c[i].w : f.c[i].y);
            }
            m.sums[batch * Batch + i][THREAD] = F2{sums[0], sums[1]};
        }
    }
    /// While some rows change states, the exponentials of those after are under way, and what the rows after these read.
    METHOD void advance_all(const ScanArguments& a, Buffer* m, int sequence, int tiles, int first) {
        int own = THREAD % Channels, group = THREAD / Channels, channel = first + own;
        float h[Per], A[Per], *state = begin_states<Per>(a, sequence, channel, group * Per, h, A);
        Loaded f;
        Made even, odd;
        wait_at(Ready, 2 * Advancing);
        load(f, m[0], 0, group, own);
        make(even, f, m[0], 0, group, A);
        load(f, m[0], 1, group, own);
        for (int tile = 0; tile < tiles; tile++) {
            Buffer &now = m[tile % Buffers], &after = m[(tile + 1) % Buffers];      // behind the last tile what is read serves nothing
            UNROLL
            for (int batch = 0; batch < Batches; batch += 2) {
                const Buffer& next = batch + 2 < Batches ? now : after;
                make(odd, f, now, batch + 1, group, A);
                if (batch + 2 == Batches && tile + 1 < tiles) wait_at(Ready + (tile + 1) % Buffers, 2 * Advancing);
                load(f, next, (batch + 2) % Batches, group, own);
                advance(now, even, batch, h);
                make(even, f, next, (batch + 2) % Batches, group, A);
                load(f, next, (batch + 3) % Batches, group, own);
                advance(now, odd, batch + 1, h);
            }
            arrive_at(Done + tile % Buffers, 2 * Advancing);
        }
        end_states<Per>(a, channel, group * Per, h, state);
    }
    METHOD void serve_all(const ScanArguments& a, Buffer* m, int start, int end, int tiles, int first) {
        int servant = THREAD / Advancing - 1, thread = THREAD % Advancing, channel = first + place_of(thread).two * 2, channels = a.u.width - channel;
        F4 bias = some_of(a.bias + channel, channels < 2 ? channels : 2), D = some_of(a.D + channel, channels < 2 ? channels : 2);
        Fetched f;
        Cursor from = cursor(a, start + servant * Tile, thread, channel);
        fetch(a, f, from, end - start - servant * Tile, thread, channels);
        for (int tile = servant; tile < tiles + Buffers; tile += Servants) {
            int own = tile % Buffers, t0 = start + tile * Tile;
            if (tile >= Buffers && tile - Buffers < tiles) {
                wait_at(Done + own, 2 * Advancing);
                finish(a, m[own], t0 - Buffers * Tile, end, thread, channel);
            }
            if (tile >= tiles) continue;
            prepare(m[own], f, end - t0, thread, F2{bias.x, bias.y}, F2{D.x, D.y});
            arrive_at(Ready + own, 2 * Advancing);
            fetch(a, f, from, end - t0 - Servants * Tile, thread, channels);
        }
    }
    METHOD void run(const ScanArguments& a, Buffer* m) {
        int sequence = BLOCK_Y;
        if (sequence >= a.batch.counts[SequenceCount]) return;
        int start = a.batch.starts[sequence], length = a.batch.lengths[sequence], tiles = (length + Tile - 1) / Tile, first = BLOCK_X * Channels;
        if (tiles == 0) return;
        if (THREAD < Advancing) advance_all(a, m, sequence, tiles, first);
        else serve_all(a, m, start, start + length, tiles, first);
    }
};

#define KERNELS(name, channels, wide, servants, blocks) \
    KERNEL_BESIDE(name, ScanArguments, 8 * channels * (1 + servants), blocks) { \
        DYNAMIC_SHARED(memory); \
        Roles<channels, wide, servants>::run(a, (Roles<channels, wide, servants>::Buffer*)memory); \
    }
KERNELS(scan_roles_any, 12, false, 1, 2)
KERNELS(scan_roles_12, 12, true, 1, 2)
KERNELS(scan_roles_16, 16, true, 1, 2)
KERNELS(scan_roles_20, 20, true, 1, 2)
KERNELS(scan_roles_12x3, 12, true, 3, 1)
KERNELS(scan_roles_16x3, 16, true, 3, 1)
