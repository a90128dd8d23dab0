// SsdScan (Mamba-2): a warp a channel, its lanes hold neighbouring states; time goes by tiles of rows through shared memory.
// The state is [channels, states] of a slot, as in the canonical state.
#include "common.h"

struct SsdArguments {
    Batch batch;
    Matrix x, dt, b, c, y;
    const float *A, *D, *bias;
    s64 state;              // floats from the beginning of a slot
    int heads, headDim, groups, states;
};

static constexpr int Channels = 8, Tile = 16, Lanes = 32;

/// PerLane states a lane. A block has channels of one head.
template<int PerLane> TEMPLATE_DEVICE void ssd_scan(const SsdArguments& a) {
    constexpr int Most = PerLane * Lanes;
    SHARED float B[Tile][Most], C[Tile][Most];
    SHARED float delta[Tile], decay[Tile], xs[Tile][Channels];
    int sequence = BLOCK_Y;
    if (sequence >= a.batch.counts[SequenceCount]) return;
    int blocksOfHead = (a.headDim + Channels - 1) / Channels, head = BLOCK_X / blocksOfHead, p0 = (BLOCK_X - head * blocksOfHead) * Channels;
    int group = head / (a.heads / a.groups), own = THREAD / Lanes, lane = THREAD % Lanes, p = p0 + own, channel = head * a.headDim + p;
    int start = a.batch.starts[sequence], end = start + a.batch.lengths[sequence];
    float* state = (float*)a.batch.slots[sequence] + a.state + (s64)channel * a.states;
    float h[PerLane], A = a.A[head] * Log2E, bias = a.bias[head], D = a.D[head];
    for (int k = 0; k < PerLane; k++) {
        int n = lane * PerLane + k;
        h[k] = p < a.headDim && n < a.states ? state[n] : 0.f;
    }
    for (int t0 = start; t0 < end; t0 += Tile) {
        int rows = end - t0 < Tile ? end - t0 : Tile;
        if (THREAD < rows) {
            float step = softplus(row_of(a.dt, t0 + THREAD)[head] + bias);
            delta[THREAD] = step;
            decay[THREAD] = exp2_fast(step * A);
        }
        for (int i = THREAD; i < rows * Channels; i += Channels * Lanes) {
            int t = i / Channels, c = i % Channels;
            xs[t][c] = p0 + c < a.headDim ? row_of(a.x, t0 + t)[head * a.headDim + p0 + c] : 0.f;
        }
        for (int i = THREAD; i < Tile * Most; i += Channels * Lanes) {
            int t = i / Most, n = i % Most;
            bool there = t < rows && n < a.states;
            B[t][n] = there ? row_of(a.b, t0 + t)[group * a.states + n] : 0.f;
            C[t][n] = there ? row_of(a.c, t0 + t)[group * a.states + n] : 0.f;
        }
        sync();
        for (int t = 0; t < rows; t++) {
            float x = xs[t][own], keep = decay[t], add = delta[t] * x, sum = 0;
            for (int k = 0; k < PerLane; k++) {
                h[k] = h[k] * keep + B[t][lane * PerLane + k] * add;
                sum += h[k] * C[t][lane * PerLane + k];
            }
            sum = warp_sum(sum);
            if (lane == 0 && p < a.headDim) row_of(a.y, t0 + t)[channel] = sum + D * x;
        }
        sync();
    }
    for (int k = 0; k < PerLane; k++)
        if (p < a.headDim && lane * PerLane + k < a.states) state[lane * PerLane + k] = h[k];
}

KERNEL(ssd_scan_32, SsdArguments, 256) { ssd_scan<1>(a); }
KERNEL(ssd_scan_64, SsdArguments, 256) { ssd_scan<2>(a); }
KERNEL(ssd_scan_128, SsdArguments, 256) { ssd_scan<4>(a); }
KERNEL(ssd_scan_256, SsdArguments, 256) { ssd_scan<8>(a); }
