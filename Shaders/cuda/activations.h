// Activations rounded to 8 bits for the products with quantized weights: a scale max|x| / 127 for each 32 columns, and what weights with an offset multiply.
#pragma once
#include "common.h"

struct Rounded {
    s8* values;     // [rows, blocks · 32]
    F4* scales;     // [rows, blocks] scale, scale · Σq of the first and of the second sixteen
    int blocks;
};

/// A block whose largest value is below this counts as zero: 127 / max must stay finite.
static constexpr float Tiny = 1e-30f;

/// Rounds 32 columns, one a lane of a warp.
DEVICE void round_block(const Rounded& to, int row, int block, float x) {
    float most = warp_max(x < 0 ? -x : x);
    int lane = THREAD & 31, q = most < Tiny ? 0 : round_int(x * (127.f / most));
    float scale = most < Tiny ? 0.f : most / 127.f, sum = half_warp_sum((float)q) * scale, other = exchange(sum, 16);
    s64 at = (s64)row * to.blocks + block;
    to.values[at * 32 + lane] = (s8)q;
    if (lane == 0) to.scales[at] = F4{scale, sum, other, 0.f};
}
