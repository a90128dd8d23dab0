// Products of many rows on tensor cores: x in halves, weights in halves, float32 sums. Tiles of the inner dimension come in several stages deep.
#pragma once
#include "linear.h"
#include "tensor.h"

struct TensorArguments {
    LinearArguments linear; // its weights are halves
    Halves x;
    // Of the products of few rows:
    Parts parts;
    int rowTiles;
    int stored;     // whether the weights are there before this launch
    int wide;       // whether outputs can be accessed sixteen bytes at a time, their halves eight
    int* arrived;   // blocks of a tile whose sums are there
    int* notFinite; // set to 1 where an output is not, or null
    Scaled scaled;  // of factors in parts
};

/// A block of WarpsM × WarpsN warps makes Rows × Columns outputs, Depth columns of x at a time, Stages of them on their way. Factors may be sums of halves, whose
/// parts lie as matrices one below the other: then what counts of their parts' products is added up.
template<class Type, int Rows, int Columns, int WarpsM, int WarpsN, int Depth, int Stages, int XParts = 1, int WParts = 1> TEMPLATE_DEVICE void matmul(const TensorArguments& t) {
    constexpr int Threads = 32 * WarpsM * WarpsN, M = Rows / WarpsM / 16, N = Columns / WarpsN / 8, Chunks = Depth / 8, Padded = Depth + 8;
    constexpr int StageHalves = (Rows * XParts + Columns * WParts) * Padded;
    constexpr int Counted = XParts > WParts ? XParts : WParts;      // parts' products with places that add up to more are below what the rest is rounded by
    constexpr bool Moved = XParts > 1;
    DYNAMIC_SHARED(memory);
    u16* shared = (u16*)memory;
    const LinearArguments& a = t.linear;
    int firstRow = BLOCK_Y * Rows, firstColumn = BLOCK_X * Columns;
    int rows = a.batch.counts[a.rows], columns = a.weights.rows, depth = a.weights.columns;
    if (firstRow >= rows) return;
    int lane = THREAD & 31, warp = THREAD / 32, warpRow = warp % WarpsM * (Rows / WarpsM), warpColumn = warp / WarpsM * (Columns / WarpsN);
    const u16* weights = (const u16*)a.weights.data;
    s64 stride = a.weights.stride / 2;

    auto load = [&](int stage, int k0) {
        u16* to = shared + stage * StageHalves;
        UNROLL
        for (int p = 0; p < XParts; p++)
            UNROLL
            for (int i = 0; i < Rows * Chunks / Threads; i++) {
                int c = THREAD + i * Threads, row = c / Chunks, k = k0 + c % Chunks * 8;
                bool there = firstRow + row < rows && k < depth;
                copy_async(to + (p * Rows + row) * Padded + c % Chunks * 8, t.x.data + (there ? (s64)(p * t.scaled.apart + firstRow + row) * t.x.stride + k : 0), there);
            }
        UNROLL
        for (int q = 0; q < WParts; q++)
            UNROLL
            for (int i = 0; i < Columns * Chunks / Threads; i++) {
                int c = THREAD + i * Threads, column = c / Chunks, k = k0 + c % Chunks * 8;
                bool there = firstColumn + column < columns && k < depth;
                copy_async(to + (XParts * Rows + q * Columns + column) * Padded + c % Chunks * 8, weights + (there ? (q * columns + firstColumn + column) * stride + k : 0), there);
            }
    };

    float sums[M][N][4], totals[M][N][4];
    auto move = [&](bool first) {
        UNROLL
        for (int i = 0; i < M; i++)
            UNROLL
            for (int j = 0; j < N; j++)
                UNROLL
                for (int q = 0; q < 4; q++) {
                    totals[i][j][q] = first ? 0 : totals[i][j][q] + sums[i][j][q];
                    sums[i][j][q] = 0;
                }
    };
    move(true);
    int steps = (depth + Depth - 1) / Depth;
    UNROLL
    for (int s = 0; s < Stages - 1; s++) {
        if (s < steps) load(s, s * Depth);
        commit_copies();
    }
    for (int step = 0; step < steps; step++) {
        wait_copies<Stages - 2>();
        sync();
        if (step + Stages - 1 < steps) load((step + Stages - 1) % Stages, (step + Stages - 1) * Depth);
        commit_copies();
        const u16 *x = shared + step % Stages * StageHalves, *w = x + XParts * Rows * Padded;
        UNROLL
        for (int k = 0; k < Depth; k += 16) {
            u32 right[WParts][N / 2][4];
            UNROLL
            for (int q = 0; q < WParts; q++)
                UNROLL
                for (int j = 0; j < N / 2; j++)
                    load_matrices(right[q][j], w + (q * Columns + warpColumn + 16 * j + (lane & 7) + (lane >> 4) * 8) * Padded + k + (lane >> 3 & 1) * 8);
            UNROLL
            for (int p = 0; p < XParts; p++) {
                u32 left[M][4];
                UNROLL
                for (int i = 0; i < M; i++) load_matrices(left[i], x + (p * Rows + warpRow + 16 * i + (lane & 15)) * Padded + k + (lane >> 4) * 8);
                UNROLL
                for (int q = 0; q < WParts; q++)
                    if (p + q < Counted)
                        UNROLL
                        for (int i = 0; i < M; i++)
                            UNROLL
                            for (int j = 0; j < N / 2; j++) {
                                multiply(sums[i][2 * j], left[i], right[q][j][0], right[q][j][1], Type());
                                multiply(sums[i][2 * j + 1], left[i], right[q][j][2], right[q][j][3], Type());
                            }
            }
        }
        if (Moved && (step + 1) % (Together / Depth) == 0) move(false);
    }
    if (Moved) move(false);
    int row0 = firstRow + warpRow + lane / 4, column = firstColumn + warpColumn + lane % 4 * 2;
    auto strip = [&](int i) { return Moved ? &totals[i / 2][0][i % 2 * 2] : &sums[i / 2][0][i % 2 * 2]; };
    if constexpr (Moved) {
        UNROLL
        for (int i = 0; i < 2 * M; i++)
            if (row0 + 8 * i < rows) unscale_strip<N, (WParts > 1)>(a, t.scaled, row0 + 8 * i, column, strip(i));
    }
    if (a.pairs) {
        UNROLL
        for (int i = 0; i < 2 * M; i++)
            if (row0 + 8 * i < rows) add_strip<N, true>(a, row0 + 8 * i, column, strip(i));
        UNROLL
        for (int i = 0; i < 2 * M; i++)
            if (row0 + 8 * i < rows) store_strip<N, true>(a, row0 + 8 * i, column, strip(i));
    } else {
        UNROLL
        for (int i = 0; i < 2 * M; i++) {
            if (row0 + 8 * i >= rows) continue;
            add_strip<N, false>(a, row0 + 8 * i, column, strip(i));
            store_strip<N, false>(a, row0 + 8 * i, column, strip(i));
        }
    }
}
