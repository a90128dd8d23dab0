// Products of a step of 9 to 32 sequences, with the convolution of some of the outputs: weights of 16 bits go from memory to the registers of the warp that multiplies
// them, two groups of columns on their way, the first from before the wait on; all of the block's x lies in shared memory, as each warp multiplies it. Warps
// share the outputs out by sixteens and the columns by pieces, blocks the columns of few outputs.
#pragma once
#include "matmul_narrow.h"
#include "batch_rows.h"

struct BatchStepArguments {
    TensorArguments product;        // outputs are accessed by fours
    Matrix u;                       // outputs of the convolution
    Rounding half;                  // of u
    const float *taps, *tapBias;    // four of each channel, or null; or null
    s64 window;                     // floats from the beginning of a slot
    int first, count;               // outputs that are convolved
};

/// Steps of 32 columns that a warp makes of a group.
static constexpr int GroupSteps = 4;

/// What a block's threads finish: fours of neighbouring outputs of each row of x, whose sums lie in pieces; some of the threads ask for what convolutions need.
template<int R, int AllOutputs, int AllThreads, int AllAskers, int AllPieces> struct FinishedTile {
    static constexpr int Rows = R, Outputs = AllOutputs, Threads = AllThreads, Askers = AllAskers, Pieces = AllPieces;
    static constexpr int SumPitch = Outputs + 4, Quads = Outputs / 4, AllFours = Rows * Quads, Fours = (AllFours + Threads - 1) / Threads;
};

/// Sizes of a block of Abreast · Split warps: rows of x, in shared memory at a stride whose eights of lanes read different banks.
template<int R, int Abreast, int Split> struct StepTile : FinishedTile<R, 16 * Abreast, 32 * Abreast * Split, 32 * Abreast * Split, Split> {
    static constexpr int Columns = 32 * GroupSteps * Split, Chunks = Columns / 8, Tiles = R / 8, XPitch = Columns + 32, GroupBytes = R * XPitch * 2;
};

/// The weights of a group that a lane has: of rows lane ÷ 4 and eight further eight columns each, which follow one another; x is read in the same order.
struct GroupWeights { U4 w[GroupSteps][2]; };

/// Where a warp's weights lie.
struct WeightRows {
    const u8* from[2];
    int column, all, depth;

    /// Rows from `row` on, columns of groups that begin at `first` and end `width` later, of which the warp's begin at `own`.
    MEMBER void begin(const Weights& w, int row, int first, int width, int own) {
        int lane = THREAD & 31;
        UNROLL
        for (int j = 0; j < 2; j++) {
            int line = row + lane / 4 + 8 * j;
            from[j] = w.data + (line < w.rows ? line : w.rows - 1) * w.stride;    // outputs beyond the last are not written
        }
        column = first + own + lane % 4 * 8;
        all = first + width;
        depth = w.columns;
    }
    /// A warp's columns of a group; beyond the last column the last eight, which x has zeros for. Whole groups take no choice: each would be waited for by itself.
    MEMBER void fetch(GroupWeights& to, int columns) const {
        int k = column + columns;
        if (columns + all <= depth) {
            const u8 *a = from[0] + k * 2, *b = from[1] + k * 2;
            UNROLL
            for (int i = 0; i < GroupSteps; i++) {
                to.w[i][0] = load_ahead(a + 64 * i);
                to.w[i][1] = load_ahead(b + 64 * i);
            }
            return;
        }
        UNROLL
        for (int i = 0; i < GroupSteps; i++) {
            int own = k + 32 * i < depth ? k + 32 * i : depth - 8;
            UNROLL
            for (int j = 0; j < 2; j++) to.w[i][j] = load_ahead(from[j] + own * 2);
        }
    }
};

template<class Type, class Tile> TEMPLATE_DEVICE void multiply_group(float (&sums)[Tile::Tiles][4], const GroupWeights& g, const u16* x) {
    constexpr int Tiles = Tile::Tiles, XPitch = Tile::XPitch;
    UNROLL
    for (int i = 0; i < GroupSteps; i++) {
        U4 a = g.w[i][0], b = g.w[i][1];
        u32 left[4] = { a.x, b.x, a.y, b.y }, right[4] = { a.z, b.z, a.w, b.w };
        U4 v[Tiles];
        UNROLL
        for (int j = 0; j < Tiles; j++) v[j] = *(const U4*)(x + 8 * j * XPitch + 32 * i);
        UNROLL
        for (int j = 0; j < Tiles; j++) multiply(sums[j], left, v[j].x, v[j].y, Type());
        UNROLL
        for (int j = 0; j < Tiles; j++) multiply(sums[j], right, v[j].z, v[j].w, Type());
    }
}

/// What a four of outputs needs of its convolution lies in shared memory: windows by fours, then taps and their bias by outputs.
template<class Tile> struct ConvRoom {
    float* windows;
    MEMBER float* taps() const { return windows + 12 * Tile::AllFours; }
    MEMBER float* bias() const { return taps() + 4 * Tile::Outputs; }

    /// A thread asks for the windows that it will move on.
    MEMBER void ask(const BatchStepArguments& a, int rows) const {
        constexpr int Own = (Tile::AllFours + Tile::Askers - 1) / Tile::Askers;
        int first = BLOCK_X * Tile::Outputs - a.first;
        const float* from[Own];     // slots are asked for together
        UNROLL
        for (int i = 0; i < Own; i++) {
            int four = THREAD + i * Tile::Askers, row = four / Tile::Quads, channel = first + four % Tile::Quads * 4;
            from[i] = row < rows && channel >= 0 && channel < a.count ? (const float*)a.product.linear.batch.slots[row] + a.window + (s64)channel * 3 : nullptr;
        }
        UNROLL
        for (int i = 0; i < Own; i++)
            if (from[i])
                UNROLL
                for (int j = 0; j < 3; j++) copy_async(windows + 12 * (THREAD + i * Tile::Askers) + 4 * j, from[i] + 4 * j, true);
        int channel = first + THREAD;
        if (THREAD >= Tile::Outputs || channel < 0 || channel >= a.count) return;
        copy_async(taps() + 4 * THREAD, a.taps + 4 * (s64)channel, true);
        if (a.tapBias) copy_word_async(bias() + THREAD, a.tapBias + channel);
    }
    MEMBER void convolve(const BatchStepArguments& a, int row, int channel, int four, F4 x) const {
        const F4 *window = (const F4*)(windows + 12 * four), *t = (const F4*)taps() + four % Tile::Quads * 4;
        F4 w0 = window[0], w1 = window[1], w2 = window[2], b = a.tapBias ? *(const F4*)(bias() + four % Tile::Quads * 4) : F4{0, 0, 0, 0};
        F4* to = (F4*)((float*)a.product.linear.batch.slots[row] + a.window + (s64)channel * 3);
        to[0] = F4{w0.y, w0.z, x.x, w1.x};
        to[1] = F4{w1.y, x.y, w1.w, w2.x};
        to[2] = F4{x.z, w2.z, w2.w, x.w};
        deliver_four_plain(a.u, a.half, row, channel, F4{
            quick_silu(b.x + t[0].x * w0.x + t[0].y * w0.y + t[0].z * w0.z + t[0].w * x.x), quick_silu(b.y + t[1].x * w0.w + t[1].y * w1.x + t[1].z * w1.y + t[1].w * x.y),
            quick_silu(b.z + t[2].x * w1.z + t[2].y * w1.w + t[2].z * w2.x + t[2].w * x.z), quick_silu(b.w + t[3].x * w2.y + t[3].y * w2.z + t[3].z * w2.w + t[3].w * x.w)});
    }
};

/// Four outputs, convolved or not; `add` is the residual.
template<class Tile> TEMPLATE_DEVICE void finish_step(const BatchStepArguments& a, const ConvRoom<Tile>& room, int four, F4 v, F4 add) {
    const LinearArguments& l = a.product.linear;
    int row = four / Tile::Quads, column = BLOCK_X * Tile::Outputs + four % Tile::Quads * 4, channel = column - a.first;
    F4 b = l.bias ? F4{l.bias[column], l.bias[column + 1], l.bias[column + 2], l.bias[column + 3]} : F4{0, 0, 0, 0};
    v = F4{(v.x + b.x) * l.scale + add.x, (v.y + b.y) * l.scale + add.y, (v.z + b.z) * l.scale + add.z, (v.w + b.w) * l.scale + add.w};
    if (channel >= 0 && channel < a.count) room.convolve(a, row, channel, four, v);
    else deliver_four_plain(l.y, l.half, row, column, v);
}

/// The sums of the blocks that share a four's columns; false where this one is not the last of them.
template<class Tile> TEMPLATE_DEVICE bool add_parts(const TensorArguments& t, F4 (&v)[Tile::Fours], int rows) {
    int first = BLOCK_X * Tile::Outputs;
    auto at = [&](int split, int four) { return t.parts.data + ((s64)split * t.parts.rows + four / Tile::Quads) * t.parts.stride + first + four % Tile::Quads * 4; };
    auto there = [&](int four) { return four < rows * Tile::Quads && first + four % Tile::Quads * 4 < t.parts.stride; };
    UNROLL
    for (int i = 0; i < Tile::Fours; i++)
        if (there(THREAD + i * Tile::Threads)) *(F4*)at(BLOCK_Y, THREAD + i * Tile::Threads) = v[i];
    if (!is_last(t.arrived + BLOCK_X, t.parts.splits)) return false;
    UNROLL
    for (int i = 0; i < Tile::Fours; i++) {
        int four = THREAD + i * Tile::Threads;
        v[i] = F4{0, 0, 0, 0};
        if (!there(four)) continue;
        _Pragma("unroll 4")
        for (int s = 0; s < t.parts.splits; s++) {
            F4 p = load_fresh4(at(s, four));
            v[i] = F4{v[i].x + p.x, v[i].y + p.y, v[i].z + p.z, v[i].w + p.w};
        }
    }
    return true;
}

/// The residual of a thread's fours, which is on its way early.
template<class Tile> TEMPLATE_DEVICE void fetch_residual(const LinearArguments& l, int rows, F4 (&add)[Tile::Fours]) {
    UNROLL
    for (int i = 0; i < Tile::Fours; i++) {
        int four = THREAD + i * Tile::Threads, column = BLOCK_X * Tile::Outputs + four % Tile::Quads * 4;
        add[i] = l.addTo.data && four < rows * Tile::Quads && column < l.weights.rows ? load_fresh4(row_of(l.addTo, four / Tile::Quads) + column) : F4{0, 0, 0, 0};
    }
}

/// What becomes of a block's sums, which lie in shared memory by rows, one matrix for each piece.
template<class Tile> TEMPLATE_DEVICE void finish_sums(const BatchStepArguments& a, const ConvRoom<Tile>& room, const float* left, int rows, const F4 (&add)[Tile::Fours]) {
    const TensorArguments& t = a.product;
    F4 v[Tile::Fours];
    UNROLL
    for (int i = 0; i < Tile::Fours; i++) {
        int four = THREAD + i * Tile::Threads;
        v[i] = F4{0, 0, 0, 0};
        if (four >= Tile::AllFours) continue;
        UNROLL
        for (int p = 0; p < Tile::Pieces; p++) {
            F4 part = *(const F4*)(left + (p * Tile::Rows + four / Tile::Quads) * Tile::SumPitch + four % Tile::Quads * 4);
            v[i] = F4{v[i].x + part.x, v[i].y + part.y, v[i].z + part.z, v[i].w + part.w};
        }
    }
    if (t.parts.splits > 1 && !add_parts<Tile>(t, v, rows)) return;
    UNROLL
    for (int i = 0; i < Tile::Fours; i++) {
        int four = THREAD + i * Tile::Threads;
        if (four < rows * Tile::Quads && BLOCK_X * Tile::Outputs + four % Tile::Quads * 4 < t.linear.weights.rows) finish_step<Tile>(a, room, four, v[i], add[i]);
    }
}

template<class Type, int Rows, int Abreast, int Split> TEMPLATE_DEVICE void batch_step(const BatchStepArguments& a) {
    typedef StepTile<Rows, Abreast, Split> Tile;
    constexpr int Tiles = Tile::Tiles, SumBytes = Split * Rows * Tile::SumPitch * 4;
    DYNAMIC_SHARED(memory);
    const TensorArguments& t = a.product;
    const LinearArguments& l = t.linear;
    start_dependents();
    int rows = l.batch.counts[l.rows], depth = l.weights.columns, lane = THREAD & 31, warp = THREAD / 32, piece = warp % Split, track = warp / Split;
    int all = (depth + Tile::Columns - 1) / Tile::Columns, share = (all + t.parts.splits - 1) / t.parts.splits, begin = BLOCK_Y * share, groups = all - begin < share ? all - begin : share;
    WeightRows weights;
    weights.begin(l.weights, BLOCK_X * Tile::Outputs + 16 * track, begin * Tile::Columns, Tile::Columns, piece * (32 * GroupSteps));
    GroupWeights even, odd;
    weights.fetch(even, 0);
    if (groups > 1) weights.fetch(odd, Tile::Columns);
    int xBytes = share * Tile::GroupBytes;
    ConvRoom<Tile> room{(float*)(memory + (xBytes > SumBytes ? xBytes : SumBytes))};
    if (a.taps) room.ask(a, rows);

    wait_for_inputs();
    XRows<Tile>::ask(XColumns{t.x, rows, depth, begin * Tile::Columns, groups, memory});
    float sums[Tiles][4];
    UNROLL
    for (int j = 0; j < Tiles; j++)
        UNROLL
        for (int q = 0; q < 4; q++) sums[j][q] = 0;
    const u16* x = (const u16*)memory + lane / 4 * Tile::XPitch + piece * (32 * GroupSteps) + lane % 4 * 8;
    for (int g = 0; g < groups; g += 2) {
        XRows<Tile>::await();
        multiply_group<Type, Tile>(sums, even, x + g * (Tile::GroupBytes / 2));
        if (g + 2 < groups) weights.fetch(even, (g + 2) * Tile::Columns);
        if (g + 1 == groups) break;
        XRows<Tile>::await();
        multiply_group<Type, Tile>(sums, odd, x + (g + 1) * (Tile::GroupBytes / 2));
        if (g + 3 < groups) weights.fetch(odd, (g + 3) * Tile::Columns);
    }

    F4 add[Tile::Fours];
    fetch_residual<Tile>(l, rows, add);
    wait_copies<0>();
    sync();     // x has been read, windows and taps are there
    float* left = (float*)memory;
    UNROLL
    for (int j = 0; j < Tiles; j++)
        UNROLL
        for (int q = 0; q < 4; q++) left[(piece * Rows + 8 * j + lane % 4 * 2 + q % 2) * Tile::SumPitch + 16 * track + lane / 4 + q / 2 * 8] = sums[j][q];
    sync();
    finish_sums<Tile>(a, room, left, rows, add);
}

/// Rows, outputs, and the warps that share out a group's columns, as BatchStepShape.cs has them.
#define STEP_KERNEL(type, rows, outputs, split, Type) \
    EARLY_KERNEL(batch_step_##type##_##rows##x##outputs, BatchStepArguments, 2 * outputs * split, 1) { batch_step<Type, rows, outputs / 16, split>(a); }
#define STEP_KERNELS(type, Type) \
    STEP_KERNEL(type, 16, 64, 4, Type) \
    STEP_KERNEL(type, 32, 64, 4, Type)
