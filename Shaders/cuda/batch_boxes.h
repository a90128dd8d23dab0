// The products of batch_step.h on compute capability 9.0, where few outputs of many columns go as quick as memory brings them: a warp has boxes of the weights and of x
// copied to shared memory, as many as there is room for on their way, those of the weights from before the wait on; a group of four warps multiplies the weights
// by all rows from there.
#pragma once
#include "batch_step.h"
#include "wgmma.h"

struct BatchBoxesArguments {
    BatchStepArguments step;
    const u8 *x, *w;    // maps of x and of the weights: boxes of the tile's rows, and of its outputs, 64 columns each
    int stages;         // of the ring
};

/// Sizes of a block: four warps multiply, the fifth copies.
template<int R> struct BoxTile : FinishedTile<R, 64, 160, 128, 1> {
    static constexpr int Multipliers = 128, Columns = 64, MostStages = 10, XBytes = R * Columns * 2, StageBytes = XBytes + 64 * Columns * 2;
};

/// A block's boxes, and the ring of them.
template<class Tile> struct Boxes {
    const BatchBoxesArguments& t;
    u32 base, full, empty;
    int stages, first, count;

    MEMBER u32 stage(int s) const { return base + s * Tile::StageBytes; }
    MEMBER int column(int box) const { return (first + box) * Tile::Columns; }
    MEMBER void bring_weights(int box, int s) const {
        barrier_expect(full + 8 * s, Tile::StageBytes);
        copy_box(stage(s) + Tile::XBytes, t.w, column(box), BLOCK_X * Tile::Outputs, full + 8 * s);
    }
    MEMBER void bring_x(int box, int s) const { copy_box(stage(s), t.x, column(box), 0, full + 8 * s); }
    /// One thread copies.
    MEMBER void bring() const {
        int ahead = count < stages ? count : stages;
        for (int s = 0; s < ahead; s++) bring_weights(s, s);
        wait_for_inputs();
        for (int s = 0; s < ahead; s++) bring_x(s, s);
        for (int box = ahead, s = 0, phase = 0; box < count; box++) {
            barrier_wait(empty + 8 * s, phase);
            bring_weights(box, s);
            bring_x(box, s);
            if (++s == stages) { s = 0; phase ^= 1; }
        }
    }
    template<class Type> MEMBER void multiply(float (&sums)[Tile::Rows / 2]) const {
        for (int box = 0, s = 0, before = -1, phase = 0; box < count; box++) {
            barrier_wait(full + 8 * s, phase);
            u64 x = tile_at(stage(s)), w = tile_at(stage(s) + Tile::XBytes);
            multiply_fence();
            UNROLL
            for (int k = 0; k < Tile::Columns / 16; k++) Multiply<Tile::Rows, Type>::by(sums, w + k * 2, x + k * 2);
            commit_multiply();
            wait_multiply<1>();     // the box before has been read
            if (before >= 0 && THREAD == 0) barrier_arrive(empty + 8 * before);
            before = s;
            if (++s == stages) { s = 0; phase ^= 1; }
        }
        wait_multiply<0>();
    }
};

template<class Type, int Rows> TEMPLATE_DEVICE void batch_boxes(const BatchBoxesArguments& t) {
    typedef BoxTile<Rows> Tile;
    DYNAMIC_SHARED(memory);
    SHARED u64 barriers[2 * Tile::MostStages];
    const BatchStepArguments& a = t.step;
    const LinearArguments& l = a.product.linear;
    start_dependents();
    int rows = l.batch.counts[l.rows], lane = THREAD & 31, splits = a.product.parts.splits;
    int all = (l.weights.columns + Tile::Columns - 1) / Tile::Columns, share = (all + splits - 1) / splits, begin = BLOCK_Y * share;
    u32 full = shared_address(barriers), unaligned = shared_address(memory), base = (unaligned + 1023) & ~1023u;
    Boxes<Tile> boxes{t, base, full, full + 8 * t.stages, t.stages, begin, all - begin < share ? all - begin : share};
    char* stages = memory + (base - unaligned);
    ConvRoom<Tile> room{(float*)(stages + t.stages * Tile::StageBytes)};
    if (THREAD == 0) {
        for (int s = 0; s < 2 * t.stages; s++) barrier_init(full + 8 * s, 1);
        barriers_ready();
    }
    sync();
    if (THREAD == Tile::Multipliers) boxes.bring();
    sync_warp();
    if (a.taps && THREAD < Tile::Multipliers) room.ask(a, rows);
    commit_copies();    // or there is nothing that is waited for
    wait_for_inputs();
    float sums[Rows / 2] = {};
    F4 add[Tile::Fours];
    fetch_residual<Tile>(l, rows, add);
    if (THREAD < Tile::Multipliers) boxes.template multiply<Type>(sums);
    wait_copies<0>();
    sync();     // all boxes have been read, windows and taps are there
    float* left = (float*)stages;
    if (THREAD < Tile::Multipliers)
        UNROLL
        for (int i = 0; i < Rows / 2; i++) left[(i / 4 * 8 + lane % 4 * 2 + i % 2) * Tile::SumPitch + THREAD / 32 * 16 + lane / 4 + i % 4 / 2 * 8] = sums[i];
    sync();
    finish_sums<Tile>(a, room, left, rows, add);
}

/// Rows, as BatchStepShape.cs has them.
#define BOXES_KERNEL(type, rows, Type) \
    EARLY_KERNEL(batch_boxes_##type##_##rows, BatchBoxesArguments, 160, 2) { batch_boxes<Type, rows>(a); }
#define BOXES_KERNELS(type, Type) \
    BOXES_KERNEL(type, 16, Type) \
    BOXES_KERNEL(type, 32, Type)
