// Weights in blocks as halves, or as sums of two halves, for products on tensor cores.
#pragma once
#include "formats.h"
#include "parts.h"

struct DequantizeArguments {
    Weights from;
    u16* to;        // [rows, columns]
    Parted parts;   // of rows, by the kernel that makes such
};

/// A thread a group of 32.
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

/// Two halves of each, scaled a row. A block a row, a thread groups of 32, from shared memory a few columns at a time: it is done once a product, and code is many kernels'.
template<class Format> TEMPLATE_DEVICE void dequantize_parts(const DequantizeArguments& a) {
    SHARED float room[32];
    SHARED Group kept[128];
    int groups = a.from.columns >> 5, row = BLOCK_X;
    float most = 0, power = 0;
    Group& g = kept[THREAD];
    _Pragma("unroll 1")
    for (int pass = 0; pass < 2; pass++) {
        _Pragma("unroll 1")
        for (int group = THREAD; group < groups; group += THREADS) {
            g = Format::load(a.from, row, group);
            _Pragma("unroll 1")
            for (int i = 0; i < 8; i++) {
                F4 v{decoded(g, 4 * i), decoded(g, 4 * i + 1), decoded(g, 4 * i + 2), decoded(g, 4 * i + 3)};
                if (pass == 0) most = larger(most, most_of(v));
                else put_parts_of<Half, 2>(a.parts, row, group * 32 + 4 * i, F4{v.x * power, v.y * power, v.z * power, v.w * power});
            }
        }
        if (pass == 0) power = begin_parts(a.parts, row, block_max(most, room));
    }
}
