// How fast tensor cores multiply by mma.sync: eight products in flight a warp, operands in registers.
// targets: sm_80
#include "peak.h"
#include "tensor.h"

KERNEL(tensor_peak, ProductPeakArguments, 256) {
    u32 x[4], w[2];
    float sums[8][4];
    UNROLL
    for (int i = 0; i < 4; i++) x[i] = some_halves(THREAD * 8 + i);
    UNROLL
    for (int i = 0; i < 2; i++) w[i] = some_halves(THREAD * 8 + 4 + i);
    UNROLL
    for (int i = 0; i < 32; i++) sums[i >> 2][i & 3] = 0.f;
    for (int step = 0; step < a.steps; step++) {
        UNROLL
        for (int i = 0; i < 8; i++) multiply(sums[i], x, w[0], w[1], Half());
    }
    float all = 0.f;
    UNROLL
    for (int i = 0; i < 32; i++) all += sums[i >> 2][i & 3];
    if (all == 1.5f) a.out[0] = all;
}
