// SelectiveScan (Mamba-1) of up to sixteen states where a device has room for all blocks at once: there it is not instructions that count but how long each
// step takes. So a block takes a tile of rows in segments of eight, which different warps go through at once, first from a state of zero:
//   h[end] = exp(Σ Δ · A) · h[begin] + what comes of zero
// leads from one segment to the next, and from where each begins outputs are made, of the exponentials and products that are still in registers.
#include "scan.h"

template<int Channels> struct Segments {
    static constexpr int Per = 2, Groups = 8, States = Per * Groups, Steps = 8, Count = 4, Tile = Steps * Count, OfSegment = Channels * Groups, RowPadding = Channels;
    static constexpr int Fours = States / 4, Sharing = Tile * Fours * 2;     // threads that bring four states of a row of B or C
    struct Shared {
        alignas(16) F2 steps[Tile][Channels];           // Δ, Δ · u
        alignas(16) F4 bc[Tile][Groups];                // B and C of a group's states
        alignas(16) F4 ends[Count][OfSegment];          // what is left of a segment's beginning, and what comes of zero
        float sums[Tile][OfSegment + RowPadding];
    };

    /// A thread prepares and finishes a channel of one row.
    METHOD int row_own() { return THREAD / Channels; }
    METHOD int own() { return THREAD % Channels; }
    struct Fetched { float dt, u, z; F4 shared; };
    struct Cursor { const float *dt, *u, *z, *shared; s64 apart; };
    METHOD Cursor cursor(const ScanArguments& a, int start, int channel) {
        int row = start + row_own(), n = THREAD % Fours * 4;
        const Matrix& from = THREAD / Fours % 2 ? a.c : a.b;
        return Cursor{row_of(a.dt, row) + channel, row_of(a.u, row) + channel, row_of(a.z, row) + channel, row_of(from, start + THREAD / (2 * Fours)) + n, (s64)Tile * from.stride};
    }
    METHOD void fetch(const ScanArguments& a, Fetched& f, Cursor& from, int left, bool there) {
        bool has = there && row_own() < left;
        f.dt = has ? load_fresh(from.dt) : 0.f;
        f.u = has ? load_fresh(from.u) : 0.f;
        f.z = has ? load_fresh(from.z) : 0.f;
        if (THREAD < Sharing) f.shared = read_four(from.shared, THREAD / (2 * Fours) < left ? a.states - THREAD % Fours * 4 : 0, a.wide);
        from.dt += (s64)Tile * a.dt.stride;
        from.u += (s64)Tile * a.u.stride;
        from.z += (s64)Tile * a.z.stride;
        from.shared += from.apart;
    }

    /// What is kept of an output until its sums are there: D · u, and what it is multiplied by.
    struct Kept { float du, gate; };
    METHOD Kept prepare(Shared& m, const Fetched& f, int left, float bias, float D) {
        float delta = row_own() < left ? quick_softplus(f.dt + bias) : 0.f;     // a row beyond the end changes nothing: its step is no time
        m.steps[row_own()][own()] = F2{delta, delta * f.u};
        if (THREAD < Sharing) {
            int group = THREAD % Fours * 2, part = THREAD / Fours % 2;
            F4* to = m.bc[THREAD / (2 * Fours)] + group;
            ((F2*)to)[part] = F2{f.shared.x, f.shared.y};
            ((F2*)(to + 1))[part] = F2{f.shared.z, f.shared.w};
        }
        return Kept{D * f.u, quick_silu(f.z)};
    }
    METHOD void finish(const ScanArguments& a, const Shared& m, const Kept& kept, int row, int channel) {
        float sum = kept.du;
        UNROLL
        for (int g = 0; g < Groups; g++) sum += m.sums[row_own()][g * Channels + own()];
        deliver_plain(a.y, a.half, row, channel, sum * kept.gate);
    }

    METHOD void run(const ScanArguments& a, Shared& m) {
        int sequence = BLOCK_Y;
        if (sequence >= a.batch.counts[SequenceCount]) return;
        int place = THREAD % OfSegment, segment = THREAD / OfSegment, group = place / Channels, channel = BLOCK_X * Channels + own();
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
        Kept kept{0, 0};
        for (int t0 = start; t0 < end; t0 += Tile) {
            Kept before = kept;
            kept = prepare(m, f, end - t0, bias, D);
            sync();     // and the sums of the tile before are there
            if (t0 + Tile < end) fetch(a, f, from, end - t0 - Tile, there);
            float left[Steps][Per], added[Steps][Per], c[Steps][Per], passed = 0, last[Per] = {};
            UNROLL
            for (int t = 0; t < Steps; t++) {
                F2 step = m.steps[segment * Steps + t][own()];
                F4 bc = m.bc[segment * Steps + t][group];
                passed += step.x;
                left[t][0] = exp2_fast(step.x * A[0]);
                left[t][1] = exp2_fast(step.x * A[1]);
                added[t][0] = bc.x * step.y;
                added[t][1] = bc.y * step.y;
                c[t][0] = bc.z;
                c[t][1] = bc.w;
                UNROLL
                for (int i = 0; i < Per; i++) last[i] = t == 0 ? added[t][i] : last[i] * left[t][i] + added[t][i];
            }
            m.ends[segment][place] = F4{exp2_fast(passed * A[0]), exp2_fast(passed * A[1]), last[0], last[1]};
            if (t0 > start && there) finish(a, m, before, t0 - Tile + row_own(), channel);
            sync();     // and sums may be written
            float now[Per] = { h[0], h[1] };
            UNROLL
            for (int s = 0; s < Count; s++) {
                F4 over = m.ends[s][place];
                h[0] = over.x * h[0] + over.z;
                h[1] = over.y * h[1] + over.w;
                if (s + 1 == segment) {
                    now[0] = h[0];
                    now[1] = h[1];
                }
            }
            UNROLL
            for (int t = 0; t < Steps; t++) {
                UNROLL
                for (int i = 0; i < Per; i++) now[i] = left[t][i] * now[i] + added[t][i];
                m.sums[segment * Steps + t][place] = now[0] * c[t][0] + now[1] * c[t][1];
            }
        }
        sync();
        int row = start + (end - start - 1) / Tile * Tile + row_own();
        if (there && row < end) finish(a, m, kept, row, channel);
        UNROLL
        for (int i = 0; i < Per; i++)
            if (segment == 0 && there && group * Per + i < a.states) state[i] = h[i];
    }
};

KERNEL_ROOMY(scan_segments_12, ScanArguments, 32 * 12) {
    SHARED Segments<12>::Shared memory;
    Segments<12>::run(a, memory);
}
