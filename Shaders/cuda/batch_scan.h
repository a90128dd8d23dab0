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

static constexpr int Channels = 32, Together = 8, Lanes = 4, States = 4 * Lanes, Threads = Channels * Lanes, Own = Channels * Together / Threads;

struct ScanRoom {
    F4 steps[Together][Channels];           // Δ, Δ · u, D · u, the gate
    alignas(16) float bc[Together][2][States];
    float sums[Together][Channels];
};

/// dt is there: no product.
struct Given {
    struct Room { };
    MEMBER void ask(const BatchScanArguments&, int) { }
    MEMBER void load(const BatchScanArguments&, int, int) { }
    MEMBER void leave(const BatchScanArguments&, Room&) { }
    MEMBER void multiply(const BatchScanArguments&, Room&) { }
    METHOD float dt(const BatchScanArguments& a, const Room&, int row, int, int channel, int) { return load_fresh(row_of(a.dt, row) + channel); }
};

template<class Product> TEMPLATE_DEVICE void batch_scan(const BatchScanArguments& a) {
    SHARED ScanRoom m;
    SHARED typename Product::Room room;
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
    product.load(a, first, count);
    float u[Own], z[Own], bc[Own];
    UNROLL
    for (int i = 0; i < Own; i++) {
        int s = i * (Threads / Channels) + part, row = first + (s < count ? s : 0);
        u[i] = load_fresh(row_of(a.u, row) + column);
        z[i] = load_fresh(row_of(a.z, row) + column);
        bc[i] = load_fresh((lane < States ? row_of(a.b, row) : row_of(a.c, row) - States) + lane);
    }
    UNROLL
    for (int i = 0; i < Own; i++) {
        if (a.normed) bc[i] *= root_reciprocal(half_warp_sum(bc[i] * bc[i]) * (1.f / States) + a.epsilon);
        m.bc[i * (Threads / Channels) + part][lane / States][lane % States] = bc[i];
    }
    product.leave(a, room);
    sync();
    product.multiply(a, room);
    sync();
    UNROLL
    for (int i = 0; i < Own; i++) {
        int s = i * (Threads / Channels) + part, row = first + (s < count ? s : 0);
        float step = quick_softplus(Product::dt(a, room, row, s, column, lane) + bias);
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
