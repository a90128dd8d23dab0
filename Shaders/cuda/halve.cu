// What surrounds products on tensor cores.
#include "fours.h"
#include "linear.h"
#include "parts.h"

struct HalveArguments {
    Batch batch;
    Matrix x;
    Rounding half;
    int rows;   // TokenRows or OutputRows
    int wide;   // whether x can be read sixteen bytes at a time
};

/// Rows of activations as halves, where the op that made them could not round them. Four columns a thread.
KERNEL(halve, HalveArguments, 128) {
    int row = BLOCK_Y, column = (BLOCK_X * THREADS + THREAD) * 4;
    if (row >= a.batch.counts[a.rows]) return;
    bool there = column < a.x.width;
    const float* x = row_of(a.x, row) + column;
    F4 v = !there ? F4{0, 0, 0, 0} : a.wide ? *(const F4*)x : F4{x[0], x[1], x[2], x[3]};
    deliver_four(a.x, a.half, row, column, v, there);
}

struct PartsArguments {
    LinearArguments linear;
    Parts parts;
};

/// Adds up the parts of a split product. A thread an output.
KERNEL(sum_parts, PartsArguments, 256) {
    int row = BLOCK_Y, column = BLOCK_X * THREADS + THREAD;
    if (row >= a.linear.batch.counts[a.linear.rows] || column >= a.linear.weights.rows) return;
    float sum = 0;
    _Pragma("unroll 4")
    for (int split = 0; split < a.parts.splits; split++) sum += a.parts.data[((s64)split * a.parts.rows + row) * a.parts.stride + column];
    finish_halved(a.linear, row, column, sum);
}

struct SplitArguments {
    Batch batch;
    Matrix x;
    Parted to;
    int rows;       // TokenRows or OutputRows, or -1: as many as there are blocks
    int wide;       // whether x can be read sixteen bytes at a time
    int rounded;    // whether x is rounded to 8 bits first, as products of few rows read it
};

/// All lanes of a warp are here: eight of them have what is rounded together.
DEVICE F4 four_of(const SplitArguments& a, const float* x, int column) {
    F4 v = read_four(x + column, a.x.width - column, a.wide);
    return a.rounded ? four_in_bytes(v) : v;
}

/// Rows of floats in parts. A block a row.
KERNEL(split, SplitArguments, 256) {
    SHARED float room[32];
    int row = BLOCK_X, own = THREAD * 4, step = THREADS * 4;
    if (a.rows >= 0 && row >= a.batch.counts[a.rows]) return;
    const float* x = row_of(a.x, row);
    float most = 0;
    for (int c = 0; c < a.x.width; c += step) most = larger(most, most_of(four_of(a, x, c + own)));
    float power = begin_parts(a.to, row, block_max(most, room));
    for (int c = 0; c < a.to.to.stride; c += step) {
        F4 v = four_of(a, x, c + own);
        if (c + own < a.to.to.stride) put_parts(a.to, row, c + own, v, power);
    }
}
