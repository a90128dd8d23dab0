// Weights in blocks as halves, for products on tensor cores. A thread a group of 32.
#pragma once
#include "formats.h"

struct DequantizeArguments {
    Weights from;
    u16* to;    // [rows, columns]
};

template<class Format> TEMPLATE_DEVICE void dequantize(const DequantizeArguments& a) {
    int groups = a.from.columns >> 5, group = BLOCK_X * THREADS + THREAD, row = BLOCK_Y;
    for (; row < a.from.rows; row += 65535) {
        if (group >= groups) return;
        Group g = Format::load(a.from, row, group);
        U4* to = (U4*)(a.to + (s64)row * a.from.columns + group * 32);
        u32 pairs[16];
        UNROLL
        for (int i = 0; i < 16; i++) pairs[i] = float_to_half(decoded(g, 2 * i)) | (u32)float_to_half(decoded(g, 2 * i + 1)) << 16;
        UNROLL
        for (int i = 0; i < 4; i++) to[i] = U4{pairs[4 * i], pairs[4 * i + 1], pairs[4 * i + 2], pairs[4 * i + 3]};
    }
}
