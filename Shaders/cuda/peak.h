// What the kernels take that multiply without memory.
#pragma once
#include "common.h"

struct ProductPeakArguments {
    float* out;     // never written; makes the products needed
    int steps;
};

/// Two halves of ±[0.5, 1), as varied as weights are: zeros would be multiplied at a lower power and a higher clock.
DEVICE u32 some_halves(u32 seed) { return (seed * 2654435761u ^ seed << 13) & 0x83ff83ffu | 0x38003800u; }
