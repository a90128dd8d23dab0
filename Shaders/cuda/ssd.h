// What the kernels of SsdScan take.
#pragma once
#include "fours.h"

struct SsdArguments {
    Batch batch;
    Matrix x, dt, b, c, y;
    const float *A, *D, *bias;
    s64 state;              // floats from the beginning of a slot
    int heads, headDim, groups, states;
    int wide;               // whether B and C can be read four at a time
};
