// Products of many rows on the tensor cores of compute capability 9.0: one group of warps has tiles copied in, two multiply 64 rows each by them.
// Factors may be sums of halves, whose parts lie as matrices one below the other: then what counts of their parts' products is added up.
#pragma once
#include "linear.h"
#include "wgmma.h"

struct WgmmaArguments {
    LinearArguments linear; // its weights are halves
    const u8* x;            // maps of x and of the weights: boxes of 128 rows and of a tile's columns, 64 columns each
    const u8* w;
    Parts parts;
    Scaled scaled;          // of factors in parts
};

static constexpr int Rows = 128, Depth = 64;

/// Writes the sums of a group of warps. Outputs can be accessed in pairs, or the product does not go this way.
template<int Columns, int XParts, int WParts> TEMPLATE_DEVICE void write_tile(const WgmmaArguments& t, float* sums, int split, int firstRow, int firstColumn, int rows) {
    int lane = THREAD & 31, row = firstRow + (THREAD >> 5 & 3) * 16 + (lane >> 2), column = firstColumn + (lane & 3) * 2;
    bool first = row < rows, second = row + 8 < rows;
    if constexpr (XParts > 1) {
        if (first) unscale_strip<Columns / 8, (WParts > 1)>(t.linear, t.scaled, row, column, sums);
        if (second) unscale_strip<Columns / 8, (WParts > 1)>(t.linear, t.scaled, row + 8, column, sums + 2);
    }
    if (t.parts.splits > 1) {
        if (first) store_parts<Columns / 8>(t.parts, split, row, column, sums);
        if (second) store_parts<Columns / 8>(t.parts, split, row + 8, column, sums + 2);
        return;
    }
    if (first) add_strip<Columns / 8, true>(t.linear, row, column, sums);
    if (second) add_strip<Columns / 8, true>(t.linear, row + 8, column, sums + 2);
    if (first) store_strip<Columns / 8, true>(t.linear, row, column, sums);
    if (second) store_strip<Columns / 8, true>(t.linear, row + 8, column, sums + 2);
}

template<class Type, int Columns, int Stages, int XParts = 1, int WParts = 1> TEMPLATE_DEVICE void matmul(const WgmmaArguments& t) {
    constexpr int XBytes = Rows * Depth * 2, WBytes = Columns * Depth * 2, StageBytes = XParts * XBytes + WParts * WBytes;
    constexpr int Counted = XParts > WParts ? XParts : WParts;      // parts' products with places that add up to more are below what the rest is rounded by
    constexpr bool Moved = XParts > 1;
    DYNAMIC_SHARED(memory);
    const LinearArguments& a = t.linear;
    u32 base = (shared_address(memory) + 1023) & ~1023u, full = base + Stages * StageBytes, empty = full + Stages * 8;
    int rows = a.batch.counts[a.rows], rowTiles = (rows + Rows - 1) / Rows, splits = t.parts.splits;
    int tiles = rowTiles * ((a.weights.rows + Columns - 1) / Columns) * splits, steps = (a.weights.columns + Depth - 1) / Depth, share = (steps + splits - 1) / splits;
    int group = THREAD >> 7;
    if (THREAD == 0) {
        for (int s = 0; s < Stages; s++) {
            barrier_init(full + 8 * s, 1);
            barrier_init(empty + 8 * s, 2);
        }
        barriers_ready();
    }
    sync();
    int stage = 0, phase = 0;
    if (group == 0) {
        give_registers<40>();
        if (THREAD != 0) return;
        for (int tile = BLOCK_X; tile < tiles; tile += BLOCKS_X) {
            int place = tile / splits, begin = tile % splits * share, end = begin + share < steps ? begin + share : steps;
            int firstRow = place % rowTiles * Rows, firstColumn = place / rowTiles * Columns;
            for (int step = begin; step < end; step++) {
                u32 to = base + stage * StageBytes;
                barrier_wait(empty + 8 * stage, phase ^ 1);
                barrier_expect(full + 8 * stage, StageBytes);
                UNROLL
                for (int p = 0; p < XParts; p++) copy_box(to + p * XBytes, t.x, step * Depth, p * t.scaled.apart + firstRow, full + 8 * stage);
                UNROLL
                for (int q = 0; q < WParts; q++) copy_box(to + XParts * XBytes + q * WBytes, t.w, step * Depth, q * a.weights.rows + firstColumn, full + 8 * stage);
                if (++stage == Stages) { stage = 0; phase ^= 1; }
            }
        }
        return;
    }
    take_registers<232>();
    float sums[Columns / 2], totals[Moved ? Columns / 2 : 1];
    for (int tile = BLOCK_X; tile < tiles; tile += BLOCKS_X) {
        int place = tile / splits, split = tile % splits, step = split * share, end = step + share < steps ? step + share : steps;
        if constexpr (Moved) {
            UNROLL
            for (int i = 0; i < Columns / 2; i++) totals[i] = 0;
        }
        do {
            int until = Moved && step + Together / Depth < end ? step + Together / Depth : end, before = -1;
            UNROLL
            for (int i = 0; i < Columns / 2; i++) sums[i] = 0;
            for (; step < until; step++) {
                barrier_wait(full + 8 * stage, phase);
                u64 x = tile_at(base + stage * StageBytes + (group - 1) * 64 * Depth * 2), w = tile_at(base + stage * StageBytes + XParts * XBytes);
                multiply_fence();
                UNROLL
                for (int k = 0; k < Depth / 16; k++)
                    UNROLL
                    for (int p = 0; p < XParts; p++)
                        UNROLL
                        for (int q = 0; q < WParts; q++)
                            if (p + q < Counted) Multiply<Columns, Type>::by(sums, x + p * (XBytes >> 4) + k * 2, w + q * (WBytes >> 4) + k * 2);
                commit_multiply();
                wait_multiply<1>();     // the step before has been read
                if (before >= 0 && (THREAD & 127) == 0) barrier_arrive(empty + 8 * before);
                before = stage;
                if (++stage == Stages) { stage = 0; phase ^= 1; }
            }
            wait_multiply<0>();
            if (before >= 0 && (THREAD & 127) == 0) barrier_arrive(empty + 8 * before);
            if constexpr (Moved) {
                UNROLL
                for (int i = 0; i < Columns / 2; i++) totals[i] += sums[i];
            }
        } while (Moved && step < end);
        write_tile<Columns, XParts, WParts>(t, Moved ? totals : sums, split, place % rowTiles * Rows + (group - 1) * 64, place / rowTiles * Columns, rows);
    }
}
