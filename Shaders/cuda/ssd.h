// What the kernels of SsdScan take.
#pragma once
#include "common.h"

struct SsdArguments {
    Batch batch;
    Matrix x, dt, b, c, y;
    const float *A, *D, *bias;
    s64 state;              // floats from the beginning of a slot
    int heads, headDim, groups, states;
    int wide;               // whether B and C can be read four at a time
};
DEVICE F4 some_of(const float* from, int count) {
    return F4{count > 0 ? from[0] : 0.f, count > 1 ? from[1] : 0.f, count > 2 ? from[2] : 0.f, count > 3 ? from[3] : 0.f};
}
