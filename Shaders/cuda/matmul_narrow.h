// Products of up to some dozens of rows on tensor cores, which take the time of reading the weights: x in halves, weights in halves or bytes, float32 sums. Tiles of the inner
// dimension come in several stages deep, those of stored weights from before the wait on; the warps of a block share each out by pieces of sixteen. Where there
// are few outputs the inner dimension is split between blocks too: the last of a tile adds up what all left, always in the same order.
#pragma once
#include "matmul_tensor.h"
#include "sizes.h"

/// Four neighbouring outputs of a row.
template<bool Wide> TEMPLATE_DEVICE void finish_four(const TensorArguments& t, int row, int column, F4 v) {
    const LinearArguments& a = t.linear;
    int left = a.weights.rows - column;
    float more[4] = { 0, 0, 0, 0 };
    if (a.bias) {
        UNROLL
        for (int j = 0; j < 4; j++) more[j] = j < left ? a.bias[column + j] : 0.f;
    }
    v = F4{(v.x + more[0]) * a.scale, (v.y + more[1]) * a.scale, (v.z + more[2]) * a.scale, (v.w + more[3]) * a.scale};
    if (a.addTo.data) {
        const float* from = row_of(a.addTo, row) + column;
        F4 add = Wide ? *(const F4*)from : F4{from[0], left > 1 ? from[1] : 0.f, left > 2 ? from[2] : 0.f, left > 3 ? from[3] : 0.f};
        v = F4{v.x + add.x, v.y + add.y, v.z + add.z, v.w + add.w};
    }
    float all[4] = { v.x, v.y, v.z, v.w };
    if (t.notFinite) {
        UNROLL
        for (int j = 0; j < 4; j++)
            if (j < left && !(__builtin_fabsf(all[j]) <= 3.40282347e38f)) *t.notFinite = 1;
    }
    if (Wide) {
        if (!a.half.only) *(F4*)(row_of(a.y, row) + column) = v;
        if (a.half.to.data) *(U2*)(a.half.to.data + (s64)row * a.half.to.stride + column) = U2{rounded_pair(a.half, v.x, v.y), rounded_pair(a.half, v.z, v.w)};
        return;
    }
    UNROLL
    for (int j = 0; j < 4; j++)
        if (j < left) deliver_plain(a.y, a.half, row, column + j, all[j]);
}

/// Every block of a tile has left its sums: whether this one is the last.
DEVICE bool is_last(int* arrived, int blocks) {
    SHARED int before;
    sync();
    if (THREAD == 0) {
        before = arrive(arrived);
        if (before == blocks - 1) *arrived = 0;     // for the next product
    }
    sync();
    return before == blocks - 1;
}

/// Columns of x that come at a time; a warp has sixteen of them.
static constexpr int NarrowDepth = 64, Slices = NarrowDepth / 16;

/// Weights of 16 bits: as they are, eight columns a chunk. Rows are padded, so that eight of them begin in other banks.
template<class Kind, int Columns, int Threads> struct HalfSide {
    typedef Kind Type;
    static constexpr int XPitch = NarrowDepth + 8, Pitch = NarrowDepth + 8, Bytes = Columns * Pitch * 2, Chunks = NarrowDepth / 8, AtOnce = Threads / Chunks, Loads = Columns / AtOnce;
    const u16* from;
    s64 rows[Loads];
    int column, depth;

    MEMBER void begin(const Weights& w, int first, int k) {
        from = (const u16*)w.data;
        depth = w.columns;
        column = k + THREAD % Chunks * 8;
        UNROLL
        for (int i = 0; i < Loads; i++) {
            int row = first + THREAD / Chunks + i * AtOnce;
            rows[i] = (s64)(row < w.rows ? row : w.rows - 1) * depth;   // outputs beyond the last are not written
        }
    }
    MEMBER void load(char* to, int step) const {
        int k = column + step * NarrowDepth;
        bool there = k < depth;
        UNROLL
        for (int i = 0; i < Loads; i++)
            copy_async((u16*)to + (THREAD / Chunks + i * AtOnce) * Pitch + THREAD % Chunks * 8, there ? from + rows[i] + k : from, there);
    }
    METHOD void left(u32* to, const u16* x) {
        int lane = THREAD & 31;
        load_matrices(to, x + (lane & 15) * XPitch + (lane >> 4) * 8);
    }
    /// Sixteen columns of the matrix from `column` on.
    METHOD void right(u32* to, const char* w, int column, int slice) {
        int lane = THREAD & 31;
        load_matrices(to, (const u16*)w + (column + (lane & 7) + (lane >> 4) * 8) * Pitch + slice + (lane >> 3 & 1) * 8);
    }
};

/// Q8_0: as they are too, made halves on the way to the tensor cores. A lane has four columns that follow one another, on both sides.
template<int Columns, int Threads> struct ByteSide {
    typedef Half Type;
    static constexpr int XPitch = NarrowDepth + 16, Pitch = NarrowDepth + 16, ScalesAt = Columns * Pitch, Bytes = ScalesAt + Columns * 4, Chunks = NarrowDepth / 16, AtOnce = Threads / Chunks;
    static constexpr int Loads = (Columns + AtOnce - 1) / AtOnce;
    const Weights* w;
    int first, begun;

    MEMBER void begin(const Weights& weights, int row, int k) {
        w = &weights;
        first = row;
        begun = k;
    }
    MEMBER int row(int own) const { return first + own < w->rows ? first + own : w->rows - 1; }
    MEMBER void load(char* to, int step) const {
        int k = begun + step * NarrowDepth;
        UNROLL
        for (int i = 0; i < Loads; i++) {
            int own = THREAD / Chunks + i * AtOnce, chunk = THREAD % Chunks * 16;
            if (own < Columns) copy_async(to + own * Pitch + chunk, w->data + row(own) * w->stride + k + chunk, true);
        }
        if (THREAD < Columns) copy_word_async(to + ScalesAt + THREAD * 4, w->scales + ((s64)row(THREAD) * (w->columns >> 5) + (k >> 5)) * 2);
    }
    METHOD void left(u32* to, const u16* x) {
        int lane = THREAD & 31;
        const u16* own = x + lane / 4 * XPitch + lane % 4 * 4;
        U2 upper = *(const U2*)own, lower = *(const U2*)(own + 8 * XPitch);
        to[0] = upper.x; to[1] = lower.x; to[2] = upper.y; to[3] = lower.y;
    }
    METHOD void right(u32* to, const char* w, int column, int slice) {
        int lane = THREAD & 31;
        UNROLL
        for (int j = 0; j < 2; j++) {
            int own = column + 8 * j + lane / 4;
            bytes_to_halves(to + 2 * j, *(const u32*)(w + own * Pitch + slice + lane % 4 * 4), *(const u16*)(w + ScalesAt + own * 4 + slice / 32 * 2));
        }
    }
};

template<class Side, int Rows, int Columns, int Stages> TEMPLATE_DEVICE void matmul_narrow(const TensorArguments& t) {
    typedef typename Side::Type Type;
    constexpr int Depth = NarrowDepth, Across = Rows / 32, Threads = 32 * Slices * Across, M = Rows / 16, N = Columns / Across / 8;
    constexpr int XBytes = Rows * Side::XPitch * 2, StageBytes = XBytes + Side::Bytes, Chunks = Depth / 8, RowsAtOnce = Threads / Chunks, Pitch = Columns + 4;
    constexpr int XLoads = Rows / RowsAtOnce, Fours = Rows * Columns / 4 / Threads;
    DYNAMIC_SHARED(memory);
    const LinearArguments& a = t.linear;
    start_dependents();
    int split = BLOCK_Y / t.rowTiles, rowTile = BLOCK_Y - split * t.rowTiles, firstRow = rowTile * Rows, firstColumn = BLOCK_X * Columns;
    int rows = a.batch.counts[a.rows], columns = a.weights.rows, depth = a.weights.columns;
    if (firstRow >= rows) {
        wait_for_inputs();
        return;
    }
    int all = (depth + Depth - 1) / Depth, share = (all + t.parts.splits - 1) / t.parts.splits, begin = split * share, steps = all - begin < share ? all - begin : share;
    int lane = THREAD & 31, warp = THREAD / 32, slice = warp % Slices * 16, warpColumn = warp / Slices * (Columns / Across);
    Side side;
    side.begin(a.weights, firstColumn, begin * Depth);
    auto load_w = [&](int step) { side.load(memory + step % Stages * StageBytes + XBytes, step); };

    // A thread brings eight columns of some rows of x.
    int own = THREAD / Chunks, chunk = THREAD % Chunks * 8, column0 = begin * Depth + chunk;
    s64 xRow[XLoads];
    UNROLL
    for (int i = 0; i < XLoads; i++) {
        int row = firstRow + own + i * RowsAtOnce;
        xRow[i] = row < rows ? (s64)row * t.x.stride : -1;
    }
    auto load_x = [&](int step) {
        int k = column0 + step * Depth;
        u16* to = (u16*)(memory + step % Stages * StageBytes) + own * Side::XPitch + chunk;
        UNROLL
        for (int i = 0; i < XLoads; i++) {
            bool there = k < depth && xRow[i] >= 0;
            copy_async(to + i * RowsAtOnce * Side::XPitch, there ? t.x.data + xRow[i] + k : t.x.data, there);
        }
    };

    float sums[M][N][4];
    UNROLL
    for (int i = 0; i < M; i++)
        UNROLL
        for (int j = 0; j < N; j++)
            UNROLL
            for (int q = 0; q < 4; q++) sums[i][j][q] = 0;
    if (t.stored)
        for (int s = 0; s < Stages - 1 && s < steps; s++) load_w(s);
    wait_for_inputs();
    for (int s = 0; s < Stages - 1; s++) {
        if (s < steps) {
            if (!t.stored) load_w(s);
            load_x(s);
        }
        commit_copies();
    }
    for (int step = 0; step < steps; step++) {
        wait_copies<Stages - 2>();
        sync();
        if (step + Stages - 1 < steps) {
            load_w(step + Stages - 1);
            load_x(step + Stages - 1);
        }
        commit_copies();
        const char* now = memory + step % Stages * StageBytes;
        u32 left[M][4], right[N / 2][4];
        UNROLL
        for (int i = 0; i < M; i++) Side::left(left[i], (const u16*)now + 16 * i * Side::XPitch + slice);
        UNROLL
        for (int j = 0; j < N / 2; j++) Side::right(right[j], now + XBytes, warpColumn + 16 * j, slice);
        UNROLL
        for (int i = 0; i < M; i++)
            UNROLL
            for (int j = 0; j < N / 2; j++) {
                multiply(sums[i][2 * j], left[i], right[j][0], right[j][1], Type());
                multiply(sums[i][2 * j + 1], left[i], right[j][2], right[j][3], Type());
            }
    }

    // The warps' sums of a tile, added up.
    sync();
    float* room = (float*)memory;
    UNROLL
    for (int i = 0; i < 2 * M; i++)
        UNROLL
        for (int j = 0; j < N; j++)
            *(F2*)(room + (slice / 16 * Rows + i / 2 * 16 + i % 2 * 8 + lane / 4) * Pitch + warpColumn + 8 * j + lane % 4 * 2) = F2{sums[i / 2][j][i % 2 * 2], sums[i / 2][j][i % 2 * 2 + 1]};
    sync();
    F4 v[Fours];
    UNROLL
    for (int i = 0; i < Fours; i++) {
        int four = THREAD + i * Threads;
        const float* from = room + four / (Columns / 4) * Pitch + four % (Columns / 4) * 4;
        v[i] = *(const F4*)from;
        UNROLL
        for (int s = 1; s < Slices; s++) {
            F4 p = *(const F4*)(from + s * Rows * Pitch);
            v[i] = F4{v[i].x + p.x, v[i].y + p.y, v[i].z + p.z, v[i].w + p.w};
        }
    }
    if (t.parts.splits > 1) {
        UNROLL
        for (int i = 0; i < Fours; i++) {
            int four = THREAD + i * Threads, row = firstRow + four / (Columns / 4), column = firstColumn + four % (Columns / 4) * 4;
            if (row < rows && column < t.parts.stride) *(F4*)(t.parts.data + ((s64)split * t.parts.rows + row) * t.parts.stride + column) = v[i];
        }
        if (!is_last(t.arrived + rowTile * BLOCKS_X + BLOCK_X, t.parts.splits)) return;
        UNROLL
        for (int i = 0; i < Fours; i++) v[i] = F4{0, 0, 0, 0};
        _Pragma("unroll 4")
        for (int s = 0; s < t.parts.splits; s++)
            UNROLL
            for (int i = 0; i < Fours; i++) {
                int four = THREAD + i * Threads, row = firstRow + four / (Columns / 4), column = firstColumn + four % (Columns / 4) * 4;
                bool there = row < rows && column < t.parts.stride;
                F4 p = there ? load_fresh4(t.parts.data + ((s64)s * t.parts.rows + row) * t.parts.stride + column) : F4{0, 0, 0, 0};
                v[i] = F4{v[i].x + p.x, v[i].y + p.y, v[i].z + p.z, v[i].w + p.w};
            }
    }
    UNROLL
    for (int i = 0; i < Fours; i++) {
        int four = THREAD + i * Threads, row = firstRow + four / (Columns / 4), column = firstColumn + four % (Columns / 4) * 4;
        if (row >= rows || column >= columns) continue;
        if (t.wide) finish_four<true>(t, row, column, v[i]);
        else finish_four<false>(t, row, column, v[i]);
    }
}

/// Rows × columns of a tile, and its stages, as TensorTile.cs has them.
#define NARROW_KERNEL(type, rows, columns, stages, Side, ...) \
    EARLY_KERNEL(matmul_##type##_##rows##x##columns, TensorArguments, 4 * rows, 1) { matmul_narrow<Side<__VA_ARGS__ columns, 4 * rows>, rows, columns, stages>(a); }
#define NARROW_KERNELS(type, Side, ...) \
    NARROW_KERNEL(type, 32, 32, 8, Side, __VA_ARGS__) \
    NARROW_KERNEL(type, 32, 64, 8, Side, __VA_ARGS__) \
    NARROW_KERNEL(type, 64, 32, 8, Side, __VA_ARGS__) \
    NARROW_KERNEL(type, 64, 64, 6, Side, __VA_ARGS__)
