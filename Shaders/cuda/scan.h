// What the kernels of SelectiveScan take.
#pragma once
#include "fours.h"
#include "halves.h"

struct ScanArguments {
    Batch batch;
    Matrix u, dt, b, c, z, y;
    const float *A, *D, *bias;
    s64 state;              // floats from the beginning of a slot
    int states;
    int wide;               // whether all of these can be accessed four columns at a time
    Rounding half;          // of y
};

/// A channel's states from the nth on, and their A for powers of two, as a thread keeps them; what is beyond is 0.
template<int Per> TEMPLATE_DEVICE float* begin_states(const ScanArguments& a, int sequence, int channel, int n, float* h, float* A) {
    float* state = (float*)a.batch.slots[sequence] + a.state + (s64)channel * a.states + n;
    UNROLL
    for (int i = 0; i < Per; i++) {
        bool has = channel < a.u.width && n + i < a.states;
        h[i] = has ? state[i] : 0.f;
        A[i] = has ? a.A[(s64)channel * a.states + n + i] * Log2E : 0.f;
    }
    return state;
}
template<int Per> TEMPLATE_DEVICE void end_states(const ScanArguments& a, int channel, int n, const float* h, float* state) {
    UNROLL
    for (int i = 0; i < Per; i++)
        if (channel < a.u.width && n + i < a.states) state[i] = h[i];
}
