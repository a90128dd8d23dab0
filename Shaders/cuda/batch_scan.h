// One step of Mamba-1's scan for many sequences, of sixteen states a channel. A block has 32 channels of eight sequences: four lanes a channel, each with four of
// its states. States are asked for before the wait, all at once; what the steps of time are goes through shared memory.
#pragma once
#include "halves.h"
#include "formats.h"
#include "sizes.h"

struct BatchScanArguments {
    Batch batch;
    Weights weights;        // [channels, rank], of the kernels that make dt themselves
    Matrix dt, u, b, c, z, y;
    const float *A, *D, *bias;
    s64 state;              // floats from the beginning of a slot
    Rounding half;          // of y
    int normed;             // whether dt, B and C are normed first
    float epsilon;
};

static constexpr int Channels = 32, Together = 8, Lanes = 4, States = 4 * Lanes, Threads = Channels * Lanes, Own = Channels * Together / Threads, Parts = 2;

struct ScanRoom {
    F4 steps[Together][Channels];           // Δ, Δ · u, D · u, the gate
    alignas(16) float bc[Together][2][States];
    float sums[Together][Channels], products[Parts][Together][Channels];
    float scales[Together];                 // of dt before its projection
};

/// dt is there: no product.
struct Given {
    MEMBER void ask(const BatchScanArguments&, int) { }
    MEMBER void multiply(const BatchScanArguments&, ScanRoom&, int, int) { }
    METHOD float dt(const BatchScanArguments& a, const ScanRoom&, int row, int, int channel, int) { return load_fresh(row_of(a.dt, row) + channel); }
};

/// Norms' factors for dt, and B and C made ready: a warp a sequence at a time.
DEVICE void norm_inputs(const BatchScanArguments& a, ScanRoom& m, int first, int count) {
    int lane = THREAD & 31;
    for (int s = THREAD / 32; s < count; s += Threads / 32) {
        const float* dt = row_of(a.dt, first + s);
        float squares = 0, own = m.bc[s][lane / States][lane % States];
        for (int k = lane; k < a.dt.width; k += 32) squares += load_fresh(dt + k) * load_fresh(dt + k);
        squares = warp_sum(squares);
        if (lane == 0) m.scales[s] = root_reciprocal(squares / (float)a.dt.width + a.epsilon);
        m.bc[s][lane / States][lane % States] = own * root_reciprocal(half_warp_sum(own * own) * (1.f / States) + a.epsilon);
    }
}

template<class Product> TEMPLATE_DEVICE void batch_scan(const BatchScanArguments& a) {
    SHARED ScanRoom m;
    start_dependents();
    int first = BLOCK_Y * Together, count = a.batch.counts[SequenceCount] - first;
    if (count <= 0) {
        wait_for_inputs();
        return;
    }
    int quad = THREAD % Lanes, own = THREAD / Lanes, channel = BLOCK_X * Channels + own;
    bool there = channel < a.u.width;
    s64 at = a.state + (s64)(there ? channel : 0) * States + quad * 4;
    F4 h[Together], A = *(const F4*)(a.A + (s64)(there ? channel : 0) * States + quad * 4);
    UNROLL
    for (int s = 0; s < Together; s++) h[s] = s < count && there ? *(const F4*)((const float*)a.batch.slots[first + s] + at) : F4{0, 0, 0, 0};
    // Of what goes through shared memory a thread has a channel of every fourth sequence.
    int lane = THREAD % Channels, part = THREAD / Channels, column = BLOCK_X * Channels + lane;
    bool reads = column < a.u.width;
    if (!reads) column = a.u.width - 1;
    float D = a.D[column], bias = a.bias[column];
    Product product;
    product.ask(a, BLOCK_X * Channels);

    wait_for_inputs();
    float u[Own], z[Own];
    UNROLL
    for (int i = 0; i < Own; i++) {
        int s = i * (Threads / Channels) + part, row = first + (s < count ? s : 0);
        u[i] = load_fresh(row_of(a.u, row) + column);
        z[i] = load_fresh(row_of(a.z, row) + column);
        m.bc[s][lane / States][lane % States] = load_fresh((lane < States ? row_of(a.b, row) : row_of(a.c, row) - States) + lane);
    }
    if (a.normed) norm_inputs(a, m, first, count);   // a warp has the rows that it wrote
    product.multiply(a, m, first, count);
    sync();
    UNROLL
    for (int i = 0; i < Own; i++) {
        int s = i * (Threads / Channels) + part, row = first + (s < count ? s : 0);
        float step = quick_softplus(Product::dt(a, m, row, s, column, lane) + bias);
        m.steps[s][lane] = F4{step, step * u[i], D * u[i], quick_silu(z[i])};
    }
    sync();
    A = F4{A.x * Log2E, A.y * Log2E, A.z * Log2E, A.w * Log2E};
    UNROLL
    for (int s = 0; s < Together; s++) {
        if (s >= count) break;
        F4 step = m.steps[s][own], B = *(const F4*)&m.bc[s][0][quad * 4], C = *(const F4*)&m.bc[s][1][quad * 4], now = h[s];
        now = F4{now.x * exp2_fast(step.x * A.x) + B.x * step.y, now.y * exp2_fast(step.x * A.y) + B.y * step.y,
            now.z * exp2_fast(step.x * A.z) + B.z * step.y, now.w * exp2_fast(step.x * A.w) + B.w * step.y};
        float sum = now.x * C.x + now.y * C.y + (now.z * C.z + now.w * C.w);
        sum += exchange(sum, 1);
        sum += exchange(sum, 2);
        if (quad == 0) m.sums[s][own] = (sum + step.z) * step.w;
        if (there) *(F4*)((float*)a.batch.slots[first + s] + at) = now;
    }
    sync();
    UNROLL
    for (int i = 0; i < Own; i++) {
        int s = i * (Threads / Channels) + part;
        if (reads && s < count) deliver_plain(a.y, a.half, first + s, column, m.sums[s][lane]);
    }
}
