// Products of few rows: a warp an output column, the weights read once for up to MostRows rows.
#pragma once
#include "linear.h"

static constexpr int WarpsOfBlock = 4;

template<int MostRows> TEMPLATE_DEVICE void write_sums(const LinearArguments& a, int column, int count, float* sums) {
    UNROLL
    for (int r = 0; r < MostRows; r++) {
        float sum = warp_sum(sums[r]);
        if ((THREAD & 31) == 0 && r < count) finish(a, BLOCK_Y * MostRows + r, column, sum);
    }
}

/// Weights in blocks, activations in 8 bits: integers within sixteen columns, float32 across them. A lane takes 32 columns at a time.
template<class Format, int MostRows> TEMPLATE_DEVICE void matvec_quantized(const LinearArguments& a) {
    int column = BLOCK_X * WarpsOfBlock + THREAD / 32, first = BLOCK_Y * MostRows, count = a.batch.counts[a.rows] - first;
    if (column >= a.weights.rows || count <= 0) return;
    float sums[MostRows];
    UNROLL
    for (int r = 0; r < MostRows; r++) sums[r] = 0;
    for (int group = THREAD & 31; group < a.weights.columns >> 5; group += 32) {
        Group g = Format::load(a.weights, column, group);
        UNROLL
        for (int r = 0; r < MostRows; r++) {
            if (r >= count) continue;
            s64 at = (s64)(first + r) * a.rounded.blocks + group;
            const U4* q = (const U4*)(a.rounded.values + at * 32);
            U4 lo = q[0], hi = q[1];
            F4 s = a.rounded.scales[at];
            int low = dot4(g.q[0], lo.x, dot4(g.q[1], lo.y, dot4(g.q[2], lo.z, dot4(g.q[3], lo.w, 0))));
            int high = dot4(g.q[4], hi.x, dot4(g.q[5], hi.y, dot4(g.q[6], hi.z, dot4(g.q[7], hi.w, 0))));
            sums[r] += s.x * (g.scale[0] * (float)low + g.scale[1] * (float)high) + g.offset[0] * s.y + g.offset[1] * s.z;
        }
    }
    write_sums<MostRows>(a, column, count, sums);
}

/// Float weights, float32 activations, a column a lane.
template<class Format, int MostRows> TEMPLATE_DEVICE void matvec_floats(const LinearArguments& a) {
    int column = BLOCK_X * WarpsOfBlock + THREAD / 32, first = BLOCK_Y * MostRows, count = a.batch.counts[a.rows] - first;
    if (column >= a.weights.rows || count <= 0) return;
    float sums[MostRows];
    UNROLL
    for (int r = 0; r < MostRows; r++) sums[r] = 0;
    for (int i = THREAD & 31; i < a.weights.columns; i += 32) {
        float w = Format::load(a.weights, column, i);
        UNROLL
        for (int r = 0; r < MostRows; r++)
            if (r < count) sums[r] += w * row_of(a.x, first + r)[i];
    }
    write_sums<MostRows>(a, column, count, sums);
}

/// Eight columns of sixteen bits, or four of 32, as floats.
struct Wide16 { float v[8]; };
template<class Format> TEMPLATE_DEVICE Wide16 widen(U4 w);
template<> TEMPLATE_DEVICE Wide16 widen<F16>(U4 w) {
    return Wide16{{half_to_float(w.x), half_to_float(w.x >> 16), half_to_float(w.y), half_to_float(w.y >> 16),
        half_to_float(w.z), half_to_float(w.z >> 16), half_to_float(w.w), half_to_float(w.w >> 16)}};
}
template<> TEMPLATE_DEVICE Wide16 widen<BF16>(U4 w) {
    return Wide16{{bfloat_to_float(w.x & 0xffff), bfloat_to_float(w.x >> 16), bfloat_to_float(w.y & 0xffff), bfloat_to_float(w.y >> 16),
        bfloat_to_float(w.z & 0xffff), bfloat_to_float(w.z >> 16), bfloat_to_float(w.w & 0xffff), bfloat_to_float(w.w >> 16)}};
}

/// The same by accesses of sixteen bytes: rows of weights are whole multiples of them, and x begins on one.
template<class Format, int MostRows> TEMPLATE_DEVICE void matvec_halves(const LinearArguments& a) {
    constexpr int Ahead = 4;    // loads of weights in flight
    int column = BLOCK_X * WarpsOfBlock + THREAD / 32, first = BLOCK_Y * MostRows, count = a.batch.counts[a.rows] - first;
    if (column >= a.weights.rows || count <= 0) return;
    const U4* w = (const U4*)(a.weights.data + column * a.weights.stride);
    int parts = a.weights.columns >> 3;
    float sums[MostRows];
    UNROLL
    for (int r = 0; r < MostRows; r++) sums[r] = 0;
    for (int i0 = THREAD & 31; i0 < parts; i0 += 32 * Ahead) {
        U4 raw[Ahead];
        UNROLL
        for (int k = 0; k < Ahead; k++) raw[k] = i0 + 32 * k < parts ? w[i0 + 32 * k] : U4{0, 0, 0, 0};
        UNROLL
        for (int k = 0; k < Ahead; k++) {
            if (i0 + 32 * k >= parts) continue;
            Wide16 v = widen<Format>(raw[k]);
            UNROLL
            for (int r = 0; r < MostRows; r++) {
                if (r >= count) continue;
                const F4* x = (const F4*)row_of(a.x, first + r) + 2 * (i0 + 32 * k);
                F4 p = x[0], q = x[1];
                sums[r] += v.v[0] * p.x + v.v[1] * p.y + v.v[2] * p.z + v.v[3] * p.w;
                sums[r] += v.v[4] * q.x + v.v[5] * q.y + v.v[6] * q.z + v.v[7] * q.w;
            }
        }
    }
    write_sums<MostRows>(a, column, count, sums);
}
