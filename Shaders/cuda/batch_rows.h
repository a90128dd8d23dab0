// How the rows of x come to shared memory for a product of batch_step.h, all columns of a block, group by group.
#pragma once
#include "tensor.h"

/// Groups of columns of a block at most.
static constexpr int MostGroups = 8;

/// Of a block: its columns of x from `first` on, `groups` groups of them, and where they go.
struct XColumns {
    Halves x;
    int rows, depth, first, groups;
    char* memory;
};

template<class Tile> struct XRows {
    /// Rows beyond the last repeat it, as their outputs are not written.
    METHOD void ask(const XColumns& c) {
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
    METHOD void await() {
        wait_copies<MostGroups - 1>();
        commit_copies();
        sync();
    }
};
