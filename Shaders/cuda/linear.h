// What the products share: their arguments, and how a sum becomes an output.
#pragma once
#include "activations.h"
#include "formats.h"
#include "halves.h"

struct LinearArguments {
    Batch batch;
    Weights weights;
    Matrix x;
    Rounded rounded;        // x in 8 bits, where the product reads that
    Matrix addTo;           // or null data
    Matrix y;
    const float* bias;      // or null
    float scale;            // of the product and the bias
    int rows;               // TokenRows or OutputRows
    int pairs;              // whether y and addTo can be accessed eight bytes at a time
    Rounding half;          // of y, by products of many rows
};

/// The output may lie in addTo's memory: each element is read before it is written.
DEVICE void finish(const LinearArguments& a, int row, int column, float sum) {
    if (a.bias) sum += a.bias[column];
    sum *= a.scale;
    if (a.addTo.data) sum += row_of(a.addTo, row)[column];
    row_of(a.y, row)[column] = sum;
}
/// The same, where halves of it may be wanted.
DEVICE void finish_halved(const LinearArguments& a, int row, int column, float sum) {
    if (a.bias) sum += a.bias[column];
    sum *= a.scale;
    if (a.addTo.data) sum += row_of(a.addTo, row)[column];
    deliver_plain(a.y, a.half, row, column, sum);
}
// What a lane has of a row after tensor cores: pairs of neighbouring columns from `column` on, eight columns apart, in sums[4 · j] and sums[4 · j + 1].
// Of pairs both columns are there or none, and they are accessed together.

/// What they are multiplied by and what is added to them. A tile's loads come before its first store, as the compiler cannot tell that they are of other places.
template<int Count, bool Paired> TEMPLATE_DEVICE void add_strip(const LinearArguments& a, int row, int column, float* sums) {
    int columns = a.weights.rows;
    if (a.bias) {
        UNROLL
        for (int j = 0; j < Count; j++) {
            if (column + 8 * j < columns) sums[4 * j] += a.bias[column + 8 * j];
            if (column + 8 * j + 1 < columns) sums[4 * j + 1] += a.bias[column + 8 * j + 1];
        }
    }
    UNROLL
    for (int j = 0; j < Count; j++) {
        sums[4 * j] *= a.scale;
        sums[4 * j + 1] *= a.scale;
    }
    if (!a.addTo.data) return;
    const float* more = row_of(a.addTo, row) + column;
    UNROLL
    for (int j = 0; j < Count; j++) {
        if (Paired) {
            F2 pair = column + 8 * j < columns ? *(const F2*)(more + 8 * j) : F2{0, 0};
            sums[4 * j] += pair.x;
            sums[4 * j + 1] += pair.y;
        } else {
            sums[4 * j] += column + 8 * j < columns ? more[8 * j] : 0.f;
            sums[4 * j + 1] += column + 8 * j + 1 < columns ? more[8 * j + 1] : 0.f;
        }
    }
}
template<int Count, bool Paired> TEMPLATE_DEVICE void store_strip(const LinearArguments& a, int row, int column, const float* sums) {
    int columns = a.weights.rows;
    if (!Paired) {
        UNROLL
        for (int j = 0; j < Count; j++) {
            if (column + 8 * j < columns) deliver_plain(a.y, a.half, row, column + 8 * j, sums[4 * j]);
            if (column + 8 * j + 1 < columns) deliver_plain(a.y, a.half, row, column + 8 * j + 1, sums[4 * j + 1]);
        }
        return;
    }
    if (a.half.to.data) {
        u16* to = a.half.to.data + (s64)row * a.half.to.stride + column;
        UNROLL
        for (int j = 0; j < Count; j++)
            if (column + 8 * j < columns) *(u32*)(to + 8 * j) = rounded_pair(a.half, sums[4 * j], sums[4 * j + 1]);
    }
    if (a.half.only) return;
    float* y = row_of(a.y, row) + column;
    UNROLL
    for (int j = 0; j < Count; j++)
        if (column + 8 * j < columns) *(F2*)(y + 8 * j) = F2{sums[4 * j], sums[4 * j + 1]};
}

/// Factors that are sums of halves, each row scaled to their range by a power of two (parts.h).
struct Scaled {
    const float *rows, *outputs;    // what leads back, of rows of x and of the weights'; no outputs where the weights are as stored
    int apart;                      // rows from one part of x to the next
};
/// Before anything is added to the sums.
template<int Count, bool Weights> TEMPLATE_DEVICE void unscale_strip(const LinearArguments& a, const Scaled& s, int row, int column, float* sums) {
    float back = s.rows[row];
    UNROLL
    for (int j = 0; j < Count; j++)
        UNROLL
        for (int i = 0; i < 2; i++) {
            int output = column + 8 * j + i;
            sums[4 * j + i] *= !Weights ? back : back * (output < a.weights.rows ? s.outputs[output] : 0.f);
        }
}
/// Columns of x whose products are summed up on tensor cores, which cut off what a sum cannot hold; then they go to sums that are rounded.
static constexpr int Together = 256;

/// The sums of a product whose inner dimension is split between blocks: added up by sum_parts, always in the same order.
struct Parts {
    float* data;    // [splits, rows, stride]
    int rows;
    int stride;     // columns, and one more where they are odd
    int splits;
};
template<int Count> TEMPLATE_DEVICE void store_parts(const Parts& parts, int split, int row, int column, const float* sums) {
    float* to = parts.data + ((s64)split * parts.rows + row) * parts.stride + column;
    UNROLL
    for (int j = 0; j < Count; j++)
        if (column + 8 * j < parts.stride) *(F2*)(to + 8 * j) = F2{sums[4 * j], sums[4 * j + 1]};
}
