// Products of many rows in float32: tiles of 64 rows by 64 columns, four by four a thread. Weights are decoded as they come in.
#pragma once
#include "linear.h"

static constexpr int TileSide = 64, Depth = 32, Padded = TileSide + 4;

DEVICE void multiply_tiles(const float (*x)[Padded], const float (*w)[Padded], float sums[4][4]) {
    int row = THREAD / 16 * 4, column = THREAD % 16 * 4;
    for (int k = 0; k < Depth; k++) {
        F4 p = *(const F4*)&x[k][row], q = *(const F4*)&w[k][column];
        float left[4] = { p.x, p.y, p.z, p.w }, right[4] = { q.x, q.y, q.z, q.w };
        UNROLL
        for (int i = 0; i < 4; i++)
            UNROLL
            for (int j = 0; j < 4; j++) sums[i][j] += left[i] * right[j];
    }
}

struct Quantized { };
struct Floats { };

/// Activations are rounded as they are for few rows, so that a result does not depend on how many there are.
DEVICE float activation(const LinearArguments& a, int row, int column, Quantized) {
    s64 block = (s64)row * a.rounded.blocks + (column >> 5);
    return a.rounded.scales[block].x * (float)a.rounded.values[block * 32 + (column & 31)];
}
DEVICE float activation(const LinearArguments& a, int row, int column, Floats) { return row_of(a.x, row)[column]; }

template<class Format> TEMPLATE_DEVICE void load_weights(const Weights& weights, int first, int k0, float (*w)[Padded], Quantized) {
    if (THREAD >= TileSide) return;
    int column = first + THREAD;
    if (column >= weights.rows) {
        for (int k = 0; k < 32; k++) w[k][THREAD] = 0.f;
        return;
    }
    Group g = Format::load(weights, column, k0 >> 5);
    UNROLL
    for (int k = 0; k < 32; k++) w[k][THREAD] = decoded(g, k);
}
template<class Format> TEMPLATE_DEVICE void load_weights(const Weights& weights, int first, int k0, float (*w)[Padded], Floats) {
    for (int i = THREAD; i < TileSide * Depth; i += 256) {
        int column = i / Depth, k = i % Depth;
        w[k][column] = first + column < weights.rows && k0 + k < weights.columns ? Format::load(weights, first + column, k0 + k) : 0.f;
    }
}

template<class Format, class Kind> TEMPLATE_DEVICE void matmul(const LinearArguments& a) {
    SHARED float x[Depth][Padded], w[Depth][Padded];
    int rows = a.batch.counts[a.rows], firstRow = BLOCK_Y * TileSide, firstColumn = BLOCK_X * TileSide;
    if (firstRow >= rows) return;
    float sums[4][4];
    UNROLL
    for (int i = 0; i < 4; i++)
        UNROLL
        for (int j = 0; j < 4; j++) sums[i][j] = 0;
    for (int k0 = 0; k0 < a.weights.columns; k0 += Depth) {
        for (int i = THREAD; i < TileSide * Depth; i += 256) {
            int row = i / Depth, k = i % Depth;
            x[k][row] = firstRow + row < rows && k0 + k < a.weights.columns ? activation(a, firstRow + row, k0 + k, Kind()) : 0.f;
        }
        load_weights<Format>(a.weights, firstColumn, k0, w, Kind());
        sync();
        multiply_tiles(x, w, sums);
        sync();
    }
    int row = firstRow + THREAD / 16 * 4, column = firstColumn + THREAD % 16 * 4;
    UNROLL
    for (int i = 0; i < 4; i++)
        UNROLL
        for (int j = 0; j < 4; j++)
            if (row + i < rows && column + j < a.weights.rows) finish(a, row + i, column + j, sums[i][j]);
}
