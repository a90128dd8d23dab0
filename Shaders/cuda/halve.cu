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

/// Rows of floats in parts. A block a row, whose first fours a thread keeps; all are on their way at once.
KERNEL(split, SplitArguments, 256) {
    constexpr int MostHeld = 6;
    SHARED float room[32];
    int row = BLOCK_X, own = THREAD * 4, step = THREADS * 4, held = a.wide && !a.rounded ? MostHeld * step : 0;
    const float* x = row_of(a.x, row);   // of a bucket, whose memory is there
    F4 v[MostHeld];
    if (held) {
        UNROLL
        for (int i = 0; i < MostHeld; i++) v[i] = read_four(x + i * step + own, a.x.width - i * step - own, true);
    }
    if (a.rows >= 0 && row >= a.batch.counts[a.rows]) return;
    float most = 0;
    if (held) {
        UNROLL
        for (int i = 0; i < MostHeld; i++) most = larger(most, most_of(v[i]));
    }
    for (int c = held; c < a.x.width; c += step) most = larger(most, most_of(four_of(a, x, c + own)));
    float power = begin_parts(a.to, row, block_max(most, room));
    if (held) {
        UNROLL
        for (int i = 0; i < MostHeld; i++)
            if (i * step + own < a.to.to.stride) put_parts(a.to, row, i * step + own, v[i], power);
    }
    for (int c = held; c < a.to.to.stride; c += step) {
        F4 four = four_of(a, x, c + own);
        if (c + own < a.to.to.stride) put_parts(a.to, row, c + own, four, power);
    }
}
