// RmsNorm, and GatedRmsNorm over groups of columns. A block a row (and group).
#include "common.h"

struct NormArguments {
    Batch batch;
    Matrix x, z, y;
    const float* weight;    // or null
    float epsilon;
    int rows;               // TokenRows or OutputRows
    int groups;
};

KERNEL(rms_norm, NormArguments, 256) {
    SHARED float room[33];
    if (BLOCK_X >= a.batch.counts[a.rows]) return;
    const float* x = row_of(a.x, BLOCK_X);
    float* y = row_of(a.y, BLOCK_X);
    float sum = 0;
    for (int i = THREAD; i < a.x.width; i += THREADS) sum += x[i] * x[i];
    float scale = root_reciprocal(block_sum(sum, room) / (float)a.x.width + a.epsilon);
    for (int i = THREAD; i < a.x.width; i += THREADS) y[i] = x[i] * scale * (a.weight ? a.weight[i] : 1.f);
}

KERNEL(gated_rms_norm, NormArguments, 256) {
    SHARED float room[33];
    if (BLOCK_X >= a.batch.counts[a.rows]) return;
    int width = a.x.width / a.groups, first = BLOCK_Y * width;
    const float *x = row_of(a.x, BLOCK_X) + first, *z = row_of(a.z, BLOCK_X) + first;
    float* y = row_of(a.y, BLOCK_X) + first;
    float sum = 0;
    for (int i = THREAD; i < width; i += THREADS) {
        float v = x[i] * silu(z[i]);
        sum += v * v;
    }
    float scale = root_reciprocal(block_sum(sum, room) / (float)width + a.epsilon);
    for (int i = THREAD; i < width; i += THREADS) y[i] = x[i] * silu(z[i]) * scale * a.weight[first + i];
}
