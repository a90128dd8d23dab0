// RmsNorm, and GatedRmsNorm over groups of columns. A block a row (and group).
#include "parts.h"
#include "sizes.h"

struct NormArguments {
    Batch batch;
    Matrix x, z, y;
    const float* weight;    // or null
    float epsilon;
    int rows;               // TokenRows or OutputRows
    int groups;
    Rounding half;          // of y
    Parted parts;           // of y, where that is one group
};

static constexpr int MostFours = 5;

template<bool Gated> TEMPLATE_DEVICE float normed(const NormArguments& a, int row, int column) {
    float v = row_of(a.x, row)[column];
    return Gated ? v * silu(row_of(a.z, row)[column]) : v;
}
template<bool Gated> TEMPLATE_DEVICE void norm(const NormArguments& a) {
    SHARED float room[33];
    int row = BLOCK_X;
    if (row >= a.batch.counts[a.rows]) return;
    int width = a.x.width / a.groups, first = BLOCK_Y * width;
    float sum = 0;
    for (int i = THREAD; i < width; i += THREADS) {
        float v = normed<Gated>(a, row, first + i);
        sum += v * v;
    }
    float scale = root_reciprocal(block_sum(sum, room) / (float)width + a.epsilon);
    for (int i = THREAD; i < width; i += THREADS)
        deliver(a.y, a.half, row, first + i, normed<Gated>(a, row, first + i) * scale * (a.weight ? a.weight[first + i] : 1.f));
}
KERNEL(rms_norm, NormArguments, 256) { norm<false>(a); }
KERNEL(gated_rms_norm, NormArguments, 256) { norm<true>(a); }

/// The same by accesses of sixteen bytes, the row in registers: up to 4 · MostFours columns a thread.
template<bool Gated> TEMPLATE_DEVICE void norm_wide(const NormArguments& a) {
    SHARED float room[33];
    int row = BLOCK_X;      // a bucket's, whose memory is there
    int width = a.x.width / a.groups, first = BLOCK_Y * width;
    const float *x = row_of(a.x, row) + first, *z = Gated ? row_of(a.z, row) + first : nullptr;
    F4 v[MostFours], gates[MostFours], weights[MostFours];
    // All loads of a kind are on their way before the first is used.
    UNROLL
    for (int i = 0; i < MostFours; i++) {
        int column = (i * THREADS + THREAD) * 4;
        v[i] = column < width ? *(const F4*)(x + column) : F4{0, 0, 0, 0};
        if (Gated) gates[i] = column < width ? *(const F4*)(z + column) : F4{0, 0, 0, 0};
    }
    if (row >= a.batch.counts[a.rows]) return;
    float sum = 0;
    UNROLL
    for (int i = 0; i < MostFours; i++) {
        if (Gated) {
            F4 g = gates[i];
            v[i] = F4{v[i].x * quick_silu(g.x), v[i].y * quick_silu(g.y), v[i].z * quick_silu(g.z), v[i].w * quick_silu(g.w)};
        }
        sum += v[i].x * v[i].x + v[i].y * v[i].y + v[i].z * v[i].z + v[i].w * v[i].w;
    }
    UNROLL
    for (int i = 0; i < MostFours; i++) {
        int column = (i * THREADS + THREAD) * 4;
        weights[i] = a.weight && column < width ? *(const F4*)(a.weight + first + column) : F4{1, 1, 1, 1};
    }
    float scale = root_reciprocal(block_sum(sum, room) / (float)width + a.epsilon);
    float most = 0;
    UNROLL
    for (int i = 0; i < MostFours; i++) {
        int column = (i * THREADS + THREAD) * 4;
        if (i * THREADS * 4 >= width) break;
        F4 w = weights[i];
        v[i] = F4{v[i].x * scale * w.x, v[i].y * scale * w.y, v[i].z * scale * w.z, v[i].w * scale * w.w};
        if (!a.parts.only) deliver_four(a.y, a.half, row, first + column, v[i], column < width);
        most = larger(most, most_of(v[i]));
    }
    if (!a.parts.to.data) return;
    sync();     // the room has been read
    float power = begin_parts(a.parts, row, block_max(most, room));
    UNROLL
    for (int i = 0; i < MostFours; i++) {
        int column = (i * THREADS + THREAD) * 4;
        if (column < a.parts.to.stride) put_parts(a.parts, row, column, v[i], power);
    }
}
/// Three blocks have room on a multiprocessor.
#define WIDE_KERNEL(name, gated) \
    EARLY_KERNEL(name, NormArguments, 256, 3) { \
        start_dependents(); \
        wait_for_inputs(); \
        norm_wide<gated>(a); \
    }
WIDE_KERNEL(rms_norm_wide, false)
WIDE_KERNEL(gated_rms_norm_wide, true)
