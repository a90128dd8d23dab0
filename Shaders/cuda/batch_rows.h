// How the rows of x come to shared memory for a product of batch_step.h, all columns of a block, group by group: by bulk copies that a barrier for each group counts on 9.0,
// as single ones of sixteen bytes took 28 accesses of shared memory a warp where 8 do; before, the threads copy.
#pragma once
#include "tensor.h"
#if !defined(EMULATED) && __CUDA_ARCH__ >= 900
#include "barriers.h"
#endif

/// Groups of columns of a block at most.
static constexpr int MostGroups = 8;

/// Of a block: its columns of x from `first` on, `groups` groups of them, and where they go.
struct XColumns {
    Halves x;
    int rows, depth, first, groups;
    char* memory;
};

#if !defined(EMULATED) && __CUDA_ARCH__ >= 900
template<class Tile> struct XRows {
    /// Readies the barriers, and clears what lies beyond the last column, as zero times anything else may be no number.
    METHOD void begin(const XColumns& c, u64* ready) {
        if (THREAD == 0) {
            for (int g = 0; g < c.groups; g++) barrier_init(shared_address(ready + g), 1);
            barriers_ready();
        }
        int end = c.groups * Tile::Columns, beyond = end - (c.depth - c.first);
        if (beyond > 0)
            for (int i = THREAD; i < Tile::Rows * beyond / 8; i += Tile::Threads) {
                int row = i / (beyond / 8), column = Tile::Columns - beyond + i % (beyond / 8) * 8;
                *(U4*)(c.memory + (c.groups - 1) * Tile::GroupBytes + (row * Tile::XPitch + column) * 2) = U4{0, 0, 0, 0};
            }
        sync();
    }
    /// A lane asks for a row; rows go round the warps, as a warp's lanes ask one after the other.
    METHOD void ask(const XColumns& c, u64* ready) {
        constexpr int Warps = Tile::Threads / 32;
        int row = THREAD / 32 + Warps * (THREAD & 31);
        if (row >= c.rows) return;
        const u16* from = c.x.data + (s64)row * c.x.stride + c.first;
        for (int g = 0; g < c.groups; g++) {
            int left = c.depth - c.first - g * Tile::Columns, bytes = (left < Tile::Columns ? left : Tile::Columns) * 2;
            u32 barrier = shared_address(ready + g);
            if (row == 0) barrier_expect(barrier, c.rows * bytes);
            copy_bulk(shared_address(c.memory + g * Tile::GroupBytes + row * (Tile::XPitch * 2)), from + g * Tile::Columns, bytes, barrier);
        }
    }
    METHOD void await(u64* ready, int group) { barrier_wait(shared_address(ready + group), 0); }
};
#else
template<class Tile> struct XRows {
    METHOD void begin(const XColumns&, u64*) { }
    /// Rows beyond the last repeat it, as their outputs are not written.
    METHOD void ask(const XColumns& c, u64*) {
        constexpr int AtOnce = Tile::Threads / Tile::Chunks, Loads = Tile::Rows / AtOnce;
        int own = THREAD / Tile::Chunks, column = THREAD % Tile::Chunks * 8, k = c.first + column;
        const u16* from[Loads];
        UNROLL
        for (int i = 0; i < Loads; i++) from[i] = c.x.data + (s64)(own + i * AtOnce < c.rows ? own + i * AtOnce : c.rows - 1) * c.x.stride + k;
        u16* to = (u16*)c.memory + own * Tile::XPitch + column;
        UNROLL
        for (int g = 0; g < MostGroups; g++) {
            if (g < c.groups) {
                UNROLL
                for (int i = 0; i < Loads; i++) copy_async(to + i * AtOnce * Tile::XPitch, k < c.depth ? from[i] + g * Tile::Columns : c.x.data, k < c.depth);
                k += Tile::Columns;
                to += Tile::GroupBytes / 2;
            }
            commit_copies();
        }
    }
    /// Of all copies that were begun an empty one comes for each group that is there.
    METHOD void await(u64*, int) {
        wait_copies<MostGroups - 1>();
        commit_copies();
        sync();
    }
};
#endif
