// One step of Mamba-2's scan. A warp some neighbouring channels of a head, a lane four neighbouring states of each at a time; a block channels of one group.
// targets: sm_80
#include "sizes.h"

struct StepSsdArguments {
    Batch batch;
    Matrix x, dt, b, c, y;
    const float *A, *D, *bias;
    s64 state;              // floats from the beginning of a slot
};

static constexpr int OwnChannels = 4;

/// Quads of states a lane.
template<int Quads> TEMPLATE_DEVICE void step_ssd(const StepSsdArguments& a) {
    start_dependents();
    int lane = THREAD & 31, sequence = SIZE(Sequences) == 1 ? 0 : BLOCK_Y, first = (BLOCK_X * SIZE(Warps) + THREAD / 32) * OwnChannels;
    if (SIZE(Sequences) > 1 && sequence >= a.batch.counts[SequenceCount]) {
        wait_for_inputs();
        return;
    }
    bool there = first < SIZE(Channels);
    if (!there) first = SIZE(Channels) - OwnChannels;
    int head = divide(first, SIZE(HeadInverse)), group = divide(head, SIZE(GroupInverse));
    float* state = (float*)a.batch.slots[sequence] + a.state + (s64)first * SIZE(States);
    F4 h[OwnChannels][Quads];
    UNROLL
    for (int i = 0; i < OwnChannels; i++)
        UNROLL
        for (int k = 0; k < Quads; k++) {
            int n = (lane + 32 * k) * 4;
            h[i][k] = n < SIZE(States) ? *(const F4*)(state + i * SIZE(States) + n) : F4{0, 0, 0, 0};
        }
    float A = a.A[head] * Log2E, D = a.D[head], bias = a.bias[head];

    // B and C once a block: all read the same few lines, which lie in as few parts of the second cache.
    SHARED F4 shared[2][32 * Quads];
    int which = THREAD / (32 * Quads), quad = THREAD - which * (32 * Quads);
    bool loads = which < 2 && quad * 4 < SIZE(States);
    const float* from = (which == 0 ? row_of(a.b, sequence) : row_of(a.c, sequence)) + group * SIZE(States) + quad * 4;

    wait_for_inputs();
    if (loads) shared[which][quad] = load_fresh4(from);
    else if (which < 2) shared[which][quad] = F4{0, 0, 0, 0};
    F4 x4 = load_fresh4(row_of(a.x, sequence) + first);
    float step = quick_softplus(load_fresh(row_of(a.dt, sequence) + head) + bias), decay = exp2_fast(step * A), x[OwnChannels] = { x4.x, x4.y, x4.z, x4.w }, sums[OwnChannels];
    sync();
    F4 B[Quads], C[Quads];
    UNROLL
    for (int k = 0; k < Quads; k++) {
        B[k] = shared[0][lane + 32 * k];
        C[k] = shared[1][lane + 32 * k];
    }
    UNROLL
    for (int i = 0; i < OwnChannels; i++) {
        float add = step * x[i], sum = 0;
        UNROLL
        for (int k = 0; k < Quads; k++) {
            F4& s = h[i][k];
            s = F4{s.x * decay + B[k].x * add, s.y * decay + B[k].y * add, s.z * decay + B[k].z * add, s.w * decay + B[k].w * add};
            sum += s.x * C[k].x + s.y * C[k].y + (s.z * C[k].z + s.w * C[k].w);
            int n = (lane + 32 * k) * 4;
            if (there && n < SIZE(States)) *(F4*)(state + i * SIZE(States) + n) = s;
        }
        sums[i] = warp_sum(sum) + D * x[i];
    }
    if (there && lane == 0) *(F4*)(row_of(a.y, sequence) + first) = F4{sums[0], sums[1], sums[2], sums[3]};
}

EARLY_KERNEL(step_ssd_128, StepSsdArguments, 256, 1) { step_ssd<1>(a); }
EARLY_KERNEL(step_ssd_256, StepSsdArguments, 256, 1) { step_ssd<2>(a); }
