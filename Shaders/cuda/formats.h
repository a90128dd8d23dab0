// How each form of weights is read: 32 values of a row at a time, as signed bytes q with value = scale · q + offset for each half of sixteen.
// The forms are those of Runtime/Device/WeightForm.cs; decoding is exact, in the order that Formats/Quantization defines.
#pragma once
#include "common.h"

/// A matrix as it lies on the device.
struct Weights {
    const u8* data;
    const u8* scales;   // of the forms that keep them apart
    int rows, columns;
    s64 stride;         // bytes from row to row of data
};

struct Group {
    int q[8];
    float scale[2], offset[2];
};

DEVICE u32 load16(const u8* p) { return *(const u16*)p; }
DEVICE u32 load32(const u8* p) { return load16(p) | load16(p + 2) << 16; }   // blocks lie on even addresses
DEVICE u32 word32(const u8* p) { return *(const u32*)p; }
/// Bytes minus a byte constant each, without a borrow between them: none is below `less`' negative range.
DEVICE int minus(u32 bytes, u32 less) { return (int)(((bytes | 0x80808080u) - less) ^ 0x80808080u); }

DEVICE void same_scale(Group& g, float scale, float offset) {
    g.scale[0] = g.scale[1] = scale;
    g.offset[0] = g.offset[1] = offset;
}

struct Q8_0 {   // repacked: [rows, columns] signed bytes, then [rows, columns / 32] halves
    METHOD Group load(const Weights& w, int row, int group) {
        Group g;
        const U4* q = (const U4*)(w.data + row * w.stride + group * 32);
        U4 lo = q[0], hi = q[1];
        g.q[0] = lo.x; g.q[1] = lo.y; g.q[2] = lo.z; g.q[3] = lo.w; g.q[4] = hi.x; g.q[5] = hi.y; g.q[6] = hi.z; g.q[7] = hi.w;
        same_scale(g, half_to_float(load16(w.scales + ((s64)row * (w.columns >> 5) + group) * 2)), 0);
        return g;
    }
};

struct Expanded {   // [rows, columns] signed bytes, then [rows, columns / 16] floats
    METHOD Group load(const Weights& w, int row, int group) {
        Group g;
        const U4* q = (const U4*)(w.data + row * w.stride + group * 32);
        U4 lo = q[0], hi = q[1];
        g.q[0] = lo.x; g.q[1] = lo.y; g.q[2] = lo.z; g.q[3] = lo.w; g.q[4] = hi.x; g.q[5] = hi.y; g.q[6] = hi.z; g.q[7] = hi.w;
        F2 s = ((const F2*)w.scales)[(s64)row * (w.columns >> 5) + group];
        g.scale[0] = s.x; g.scale[1] = s.y;
        g.offset[0] = g.offset[1] = 0;
        return g;
    }
};

DEVICE void nibbles(Group& g, const u8* p) {
    UNROLL
    for (int i = 0; i < 4; i++) {
        u32 v = load32(p + 4 * i);
        g.q[i] = v & 0x0f0f0f0f;
        g.q[i + 4] = v >> 4 & 0x0f0f0f0f;
    }
}
/// Bits 0 to 3 of v at bit 4 of the four bytes.
DEVICE u32 fifth_bits(u32 v) { return (v & 1) << 4 | (v & 2) << 11 | (v & 4) << 18 | (v & 8) << 25; }

struct Q4_0 {
    METHOD Group load(const Weights& w, int row, int group) {
        Group g;
        const u8* b = w.data + row * w.stride + group * 18;
        nibbles(g, b + 2);
        UNROLL
        for (int i = 0; i < 8; i++) g.q[i] = minus(g.q[i], 0x08080808);
        same_scale(g, half_to_float(load16(b)), 0);
        return g;
    }
};
struct Q4_1 {
    METHOD Group load(const Weights& w, int row, int group) {
        Group g;
        const u8* b = w.data + row * w.stride + group * 20;
        nibbles(g, b + 4);
        same_scale(g, half_to_float(load16(b)), half_to_float(load16(b + 2)));
        return g;
    }
};
struct Q5_0 {
    METHOD Group load(const Weights& w, int row, int group) {
        Group g;
        const u8* b = w.data + row * w.stride + group * 22;
        nibbles(g, b + 6);
        u32 high = load32(b + 2);
        UNROLL
        for (int i = 0; i < 8; i++) g.q[i] = minus(g.q[i] | fifth_bits(high >> 4 * i & 15), 0x10101010);
        same_scale(g, half_to_float(load16(b)), 0);
        return g;
    }
};
struct Q5_1 {
    METHOD Group load(const Weights& w, int row, int group) {
        Group g;
        const u8* b = w.data + row * w.stride + group * 24;
        nibbles(g, b + 8);
        u32 high = load32(b + 4);
        UNROLL
        for (int i = 0; i < 8; i++) g.q[i] |= fifth_bits(high >> 4 * i & 15);
        same_scale(g, half_to_float(load16(b)), half_to_float(load16(b + 2)));
        return g;
    }
};

/// The sixteen levels of IQ4_NL and IQ4_XS, four a word.
DEVICE int level(u32 nibble) {
    u32 word = nibble < 4 ? 0xbfad9881u : nibble < 8 ? 0xf6eaddcfu : nibble < 12 ? 0x26190d01u : 0x71594535u;
    return word >> (nibble & 3) * 8 & 255;
}
DEVICE int levels(u32 four) { return level(four & 15) | level(four >> 8 & 15) << 8 | level(four >> 16 & 15) << 16 | level(four >> 24 & 15) << 24; }

struct IQ4_NL {
    METHOD Group load(const Weights& w, int row, int group) {
        Group g;
        const u8* b = w.data + row * w.stride + group * 18;
        nibbles(g, b + 2);
        UNROLL
        for (int i = 0; i < 8; i++) g.q[i] = levels(g.q[i]);
        same_scale(g, half_to_float(load16(b)), 0);
        return g;
    }
};
struct IQ4_XS {
    METHOD Group load(const Weights& w, int row, int group) {
        Group g;
        const u8* b = w.data + row * w.stride + (group >> 3) * 136;
        int i = group & 7, scale = (b[4 + (i >> 1)] >> 4 * (i & 1) & 15 | (load16(b + 2) >> 2 * i & 3) << 4) - 32;
        nibbles(g, b + 8 + 16 * i);
        UNROLL
        for (int k = 0; k < 8; k++) g.q[k] = levels(g.q[k]);
        same_scale(g, mul_rounded(half_to_float(load16(b)), (float)scale), 0);
        return g;
    }
};

/// Two bits of each of 32 bytes.
DEVICE void pairs(Group& g, const u8* p, int shift) {
    UNROLL
    for (int i = 0; i < 8; i++) g.q[i] = load32(p + 4 * i) >> shift & 0x03030303;
}

struct Q2_K {
    METHOD Group load(const Weights& w, int row, int group) {
        Group g;
        const u8* b = w.data + row * w.stride + (group >> 3) * 84;
        int i = group & 7;
        pairs(g, b + 16 + 32 * (i >> 2), 2 * (i & 3));
        float d = half_to_float(load16(b + 80)), least = half_to_float(load16(b + 82));
        UNROLL
        for (int k = 0; k < 2; k++) {
            int s = b[2 * i + k];
            g.scale[k] = mul_rounded(d, (float)(s & 15));
            g.offset[k] = -mul_rounded(least, (float)(s >> 4));
        }
        return g;
    }
};
struct Q3_K {
    METHOD Group load(const Weights& w, int row, int group) {
        Group g;
        const u8* b = w.data + row * w.stride + (group >> 3) * 110;
        int i = group & 7;
        pairs(g, b + 32 + 32 * (i >> 2), 2 * (i & 3));
        UNROLL
        for (int k = 0; k < 8; k++) g.q[k] = minus(g.q[k] | (load32(b + 4 * k) >> i & 0x01010101) << 2, 0x04040404);
        float d = half_to_float(load16(b + 108));
        UNROLL
        for (int k = 0; k < 2; k++) {
            int n = 2 * i + k, s = (b[96 + (n & 7)] >> 4 * (n >> 3) & 15 | (b[104 + (n & 3)] >> 2 * (n >> 2) & 3) << 4) - 32;
            g.scale[k] = mul_rounded(d, (float)s);
            g.offset[k] = 0;
        }
        return g;
    }
};

/// Scale and minimum of group i of Q4_K and Q5_K, six bits each.
DEVICE void six_bits(const u8* scales, int i, int* scale, int* least) {
    if (i < 4) {
        *scale = scales[i] & 63;
        *least = scales[i + 4] & 63;
    } else {
        *scale = scales[i + 4] & 15 | scales[i - 4] >> 6 << 4;
        *least = scales[i + 4] >> 4 | scales[i] >> 6 << 4;
    }
}
DEVICE void scale_and_least(Group& g, const u8* b, int i) {
    int scale, least;
    six_bits(b + 4, i, &scale, &least);
    u32 d = word32(b);
    same_scale(g, mul_rounded(half_to_float(d), (float)scale), -mul_rounded(half_to_float(d >> 16), (float)least));
}

struct Q4_K {
    METHOD Group load(const Weights& w, int row, int group) {
        Group g;
        const u8* b = w.data + row * w.stride + (group >> 3) * 144;
        int i = group & 7, shift = 4 * (i & 1);
        const U4* q = (const U4*)(b + 16 + 32 * (i >> 1));
        U4 lo = q[0], hi = q[1];
        u32 v[8] = { lo.x, lo.y, lo.z, lo.w, hi.x, hi.y, hi.z, hi.w };
        UNROLL
        for (int k = 0; k < 8; k++) g.q[k] = v[k] >> shift & 0x0f0f0f0f;
        scale_and_least(g, b, i);
        return g;
    }
};
struct Q5_K {
    METHOD Group load(const Weights& w, int row, int group) {
        Group g;
        const u8* b = w.data + row * w.stride + (group >> 3) * 176;
        int i = group & 7, shift = 4 * (i & 1);
        const u8 *q = b + 48 + 32 * (i >> 1), *high = b + 16;
        UNROLL
        for (int k = 0; k < 8; k++) g.q[k] = word32(q + 4 * k) >> shift & 0x0f0f0f0f | (word32(high + 4 * k) >> i & 0x01010101) << 4;
        scale_and_least(g, b, i);
        return g;
    }
};
struct Q6_K {   // blocks of 210 bytes, padded to a multiple of sixteen
    static constexpr int BlockBytes = 224;

    METHOD Group load(const Weights& w, int row, int group) {
        Group g;
        const u8* b = w.data + row * w.stride + (group >> 3) * BlockBytes;
        int i = group & 7, n = i >> 2, j = i & 3;
        const u8 *low = b + 64 * n + 32 * (j & 1), *high = b + 128 + 32 * n;
        UNROLL
        for (int k = 0; k < 8; k++)
            g.q[k] = minus(load32(low + 4 * k) >> 4 * (j >> 1) & 0x0f0f0f0f | (load32(high + 4 * k) >> 2 * j & 0x03030303) << 4, 0x20202020);
        float d = half_to_float(load16(b + 208));
        UNROLL
        for (int k = 0; k < 2; k++) {
            g.scale[k] = mul_rounded(d, (float)((const s8*)b)[192 + 2 * i + k]);
            g.offset[k] = 0;
        }
        return g;
    }
};

struct F32 {
    METHOD float load(const Weights& w, int row, int column) { return ((const float*)(w.data + row * w.stride))[column]; }
};
struct F16 {
    METHOD float load(const Weights& w, int row, int column) { return half_to_float(((const u16*)(w.data + row * w.stride))[column]); }
};
struct BF16 {
    METHOD float load(const Weights& w, int row, int column) { return bfloat_to_float(((const u16*)(w.data + row * w.stride))[column]); }
};

/// Value k of a group, as decoding defines it.
DEVICE float decoded(const Group& g, int k) {
    float q = (float)(s8)(g.q[k >> 2] >> 8 * (k & 3));
    float v = mul_rounded(g.scale[k >> 4], q);
    return g.offset[k >> 4] == 0.f ? v : add_rounded(v, g.offset[k >> 4]);
}

#define FOR_QUANTIZED(DO) DO(Q8_0) DO(Expanded) DO(Q4_0) DO(Q4_1) DO(Q5_0) DO(Q5_1) DO(IQ4_NL) DO(IQ4_XS) DO(Q2_K) DO(Q3_K) DO(Q4_K) DO(Q5_K) DO(Q6_K)
#define FOR_FLOATS(DO) DO(F32) DO(F16) DO(BF16)
