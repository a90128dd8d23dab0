// What the warps of a block of ssd_chunks.h have between them: the chunk in work and the next, and the state as it was before each.
#pragma once
#include "ssd_pairs.h"

static constexpr int Channels = 32, Slices = 4;     // of a head a block; of the states, one a warp
static constexpr int Carriers = 128, Makers = 128, Keepers = 128, Servers = 128, Before = Carriers + Makers;
static constexpr int XRow = Channels + Padding, Tiles = Channels / 8;

/// A chunk that is prepared.
template<int States> struct Stage {
    static constexpr int Row = States + Padding;
    alignas(16) u16 parts[4][Chunk][Row];                   // as SsdChunkArguments has them
    alignas(16) u16 x[2][Chunk][XRow], weighted[2][Chunk][XRow];
    alignas(16) F2 since[Chunk];                            // as SsdChunkArguments::times has them
    float delta[Chunk], out[Chunk];
    float back[Chunk];                                      // of rows of x; delta has it, and out that of C
    float all, weightedBack;
    /// What was carried to sixteen rows, in the place of their C.
    MEMBER F4* carried(int tile) { return (F4*)&parts[2][tile * 16][0]; }
};
template<int States> struct ChunkRoom {
    Stage<States> stages[2];
    alignas(16) u16 h[2][2][Channels][States + Padding];
    float most[2][Chunk];       // of rows of x, of the next chunk
    float hBack[2][Slices];
};
/// A block's channels and rows.
struct Place { int head, p0, group, start, length, chunks; float* state; };

template<class Type> TEMPLATE_DEVICE void multiply_all(float (*sums)[4], const u32 a[2][4], const u32 b[2][Tiles / 2][4]) {
    UNROLL
    for (int part = 0; part < 3; part++)
        UNROLL
        for (int j = 0; j < Tiles; j++) multiply(sums[j], a[part / 2], b[part % 2][j / 2][j % 2 * 2], b[part % 2][j / 2][j % 2 * 2 + 1], Type());
}
/// Sums that are as they should be but for a factor, of the upper and of the lower eight rows; 0 for the same.
DEVICE void move_sums(float (*to)[4], float (*sums)[4], float upper, float lower) {
    if (lower == 0.f) lower = upper;
    UNROLL
    for (int j = 0; j < Tiles; j++)
        UNROLL
        for (int q = 0; q < 4; q++) {
            to[j][q] += sums[j][q] * (q < 2 ? upper : lower);
            sums[j][q] = 0;
        }
}
