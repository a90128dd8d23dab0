// Rows of x, B and C as SsdScan reads them: as they are, or with the convolution before it, which saves writing and reading what comes of that.
#pragma once
#include "ssd.h"

/// A convolution of four taps and SiLU over a matrix's columns, which the scan does where it alone reads what comes of it.
struct Taps {
    const float *weight, *bias;     // [columns, 4], [columns] or null; no weight: the matrix is what is scanned
    s64 window;                     // of these columns, floats from the beginning of a slot
};

/// Four columns of Count rows that follow one another of x, B or C, and of the three before where they are still to be convolved.
template<int Count> struct Strip {
    static constexpr int Back = 3;
    F4 rows[Back + Count];
    /// `start` and `length` are the sequence's, read before: beside volatile loads the compiler would read them again for each row.
    MEMBER void fetch(const SsdArguments& a, const Matrix& from, const Taps& taps, int sequence, int start, int length, int row, int column, int columns) {
        const float* at = row_of(from, start + row - Back) + column;
        UNROLL
        for (int i = 0; i < Back + Count; i++) {
            int t = row + i - Back;
            bool there = (i >= Back || taps.weight) && t >= 0 && t < length;
            rows[i] = read_four(at + i * (s64)from.stride, there ? columns : 0, a.wide);
        }
        if (!taps.weight || row >= Back) return;
        const float* window = (const float*)a.batch.slots[sequence] + taps.window + column * Back;
        UNROLL
        for (int i = 0; i < Back; i++)
            if (row + i < Back && columns > 0) rows[i] = F4{window[row + i], window[Back + row + i], window[2 * Back + row + i], window[3 * Back + row + i]};
    }
    /// Row i as it is scanned.
    MEMBER F4 row(const F4* w, F4 bias, bool convolved, int i) const {
        F4 v = rows[i + 3];
        if (!convolved) return v;
        F4 x = rows[i + 2], y = rows[i + 1], z = rows[i];
        return F4{quick_silu(bias.x + w[0].w * v.x + w[0].z * x.x + w[0].y * y.x + w[0].x * z.x), quick_silu(bias.y + w[1].w * v.y + w[1].z * x.y + w[1].y * y.y + w[1].x * z.y),
            quick_silu(bias.z + w[2].w * v.z + w[2].z * x.z + w[2].y * y.z + w[2].x * z.z), quick_silu(bias.w + w[3].w * v.w + w[3].z * x.w + w[3].y * y.w + w[3].x * z.w)};
    }
};
/// The weights of four columns, and what is added.
struct Weights4 {
    F4 w[4], bias;
    MEMBER void load(const Taps& taps, int column, int columns) {
        bool there = taps.weight && columns > 0;
        UNROLL
        for (int i = 0; i < 4; i++) w[i] = there ? ((const F4*)taps.weight)[column + i] : F4{0, 0, 0, 0};
        bias = there && taps.bias ? *(const F4*)(taps.bias + column) : F4{0, 0, 0, 0};
    }
};
/// Moves a column's window past a sequence's rows; an element is read before it is overwritten, as it moves down.
DEVICE void advance_window(const SsdArguments& a, const Matrix& from, const Taps& taps, int sequence, int column) {
    int start = a.batch.starts[sequence], length = a.batch.lengths[sequence];
    float* window = (float*)a.batch.slots[sequence] + taps.window + column * 3;
    for (int j = 0; j < 3; j++) window[j] = length + j >= 3 ? row_of(from, start + length + j - 3)[column] : window[length + j];
}
