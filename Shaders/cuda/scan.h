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
