// SelectiveScan (Mamba-1): a half warp a channel, its lanes hold the states; time goes by tiles of rows through shared memory.
// The state is [channels, states] of a slot, as in the canonical state.
#include "common.h"

struct ScanArguments {
    Batch batch;
    Matrix u, dt, b, c, z, y;
    const float *A, *D, *bias;
    s64 state;              // floats from the beginning of a slot
    int states;
};

static constexpr int Channels = 8, Tile = 16, Lanes = 16;

/// PerLane states a lane: lane, lane + 16, ...
template<int PerLane> TEMPLATE_DEVICE void selective_scan(const ScanArguments& a) {
    constexpr int Most = PerLane * Lanes;
    SHARED float delta[Tile][Channels], du[Tile][Channels], us[Tile][Channels], zs[Tile][Channels], sums[Tile][Channels], B[Tile][Most], C[Tile][Most];
    int sequence = BLOCK_Y;
    if (sequence >= a.batch.counts[SequenceCount]) return;
    int first = BLOCK_X * Channels, own = THREAD / Lanes, lane = THREAD % Lanes, channel = first + own, width = a.u.width;
    int start = a.batch.starts[sequence], end = start + a.batch.lengths[sequence];
    float* state = (float*)a.batch.slots[sequence] + a.state + (s64)channel * a.states;
    float h[PerLane], A[PerLane];
    for (int k = 0; k < PerLane; k++) {
        int n = lane + k * Lanes;
        bool there = channel < width && n < a.states;
        h[k] = there ? state[n] : 0.f;
        A[k] = there ? a.A[(s64)channel * a.states + n] * Log2E : 0.f;
    }
    for (int t0 = start; t0 < end; t0 += Tile) {
        int rows = end - t0 < Tile ? end - t0 : Tile;
        for (int i = THREAD; i < Tile * Channels; i += Channels * Lanes) {
            int t = i / Channels, c = i % Channels;
            if (t >= rows || first + c >= width) continue;
            float step = softplus(row_of(a.dt, t0 + t)[first + c] + a.bias[first + c]), u = row_of(a.u, t0 + t)[first + c];
            delta[t][c] = step;
            us[t][c] = u;
            du[t][c] = step * u;
            zs[t][c] = row_of(a.z, t0 + t)[first + c];
        }
        for (int i = THREAD; i < Tile * Most; i += Channels * Lanes) {
            int t = i / Most, n = i % Most;
            bool there = t < rows && n < a.states;
            B[t][n] = there ? row_of(a.b, t0 + t)[n] : 0.f;
            C[t][n] = there ? row_of(a.c, t0 + t)[n] : 0.f;
        }
        sync();
        for (int t = 0; t < rows; t++) {
            float step = delta[t][own], x = du[t][own], sum = 0;
            for (int k = 0; k < PerLane; k++) {
                h[k] = h[k] * exp2_fast(step * A[k]) + B[t][lane + k * Lanes] * x;
                sum += h[k] * C[t][lane + k * Lanes];
            }
            sum = half_warp_sum(sum);
            if (lane == 0) sums[t][own] = sum;
        }
        sync();
        for (int i = THREAD; i < rows * Channels; i += Channels * Lanes) {
            int t = i / Channels, c = i % Channels;
            if (first + c < width) row_of(a.y, t0 + t)[first + c] = (sums[t][c] + a.D[first + c] * us[t][c]) * silu(zs[t][c]);
        }
        sync();
    }
    for (int k = 0; k < PerLane; k++)
        if (channel < width && lane + k * Lanes < a.states) state[lane + k * Lanes] = h[k];
}

KERNEL(selective_scan_16, ScanArguments, 128) { selective_scan<1>(a); }
KERNEL(selective_scan_32, ScanArguments, 128) { selective_scan<2>(a); }
KERNEL(selective_scan_128, ScanArguments, 128) { selective_scan<8>(a); }
