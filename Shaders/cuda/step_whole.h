// The products of a step with weights in blocks, where those of all rows of a block of threads have room in shared memory. They are asked for at once and take no
// registers on their way, so kernels have room beside each other, and weights come while others work. x is rounded to 8 bits as in step_quantized.h.
// A lane has 64 columns of a row at a time, by whose scales it multiplies sums of integers; what it has of x serves all rows of its warp.
#pragma once
#include "step_quantized.h"
#include "bulk.h"

static constexpr int MostWhole = 4;   // rows of weights of a lane

/// What a lane has of x: two groups of 32 columns in 8 bits, and of each the scale and the scaled sum.
struct TwoGroups {
    U4 first[2], second[2];
    F2 one, two;
};

DEVICE int dot32(U4 w0, U4 w1, const U4* x, int sum) {
    sum = dot4_unsigned(w0.x, x[0].x, dot4_unsigned(w0.y, x[0].y, dot4_unsigned(w0.z, x[0].z, dot4_unsigned(w0.w, x[0].w, sum))));
    return dot4_unsigned(w1.x, x[1].x, dot4_unsigned(w1.y, x[1].y, dot4_unsigned(w1.z, x[1].z, dot4_unsigned(w1.w, x[1].w, sum))));
}
DEVICE u32 turned(u32 v, int right) { return v >> (right & 31) | v << (-right & 31); }
/// Nibbles of v, and above them as many bits of the same bytes as the mask says, which the turn brings there.
DEVICE U4 with_upper(U4 v, U4 upper, int right, u32 mask) {
    return U4{v.x & 0x0f0f0f0f | turned(upper.x, right) & mask, v.y & 0x0f0f0f0f | turned(upper.y, right) & mask,
        v.z & 0x0f0f0f0f | turned(upper.z, right) & mask, v.w & 0x0f0f0f0f | turned(upper.w, right) & mask};
}
DEVICE U4 nibbles_of(U4 v, int shift) { return masked(v, shift, 0x0f0f0f0f); }

template<class Blocks> struct WholeRows {
    static constexpr bool NeedsLargest = false;

    METHOD int tile_rows() { return SIZE(TileRows); }
    METHOD int step_columns() { return lanes() * 64; }
    METHOD int row_bytes() { return padded<WholeRows>() + padded<WholeRows>() / 4; }
    METHOD int stored_bytes() { return SIZE(Columns) / 256 * Blocks::BlockBytes; }
    METHOD float scale(float) { return 1.f; }
    METHOD float unscale(float) { return 1.f; }
    /// Where a column lies: sixteens in an order that brings those of eight lanes, 64 columns apart, to banks of their own.
    METHOD u32 place(u32 column) { return column ^ (column >> 3 & 0x30); }

    METHOD void put(char* row, int column, F4 v, bool there) {
        float most = largest(v);
        most = max_of(most, exchange(most, 1));
        most = max_of(most, exchange(most, 2));
        most = max_of(most, exchange(most, 4));
        bool none = most < RoundedRow::Least;
        float unit = none ? 0.f : 127.f * reciprocal_flushed(most), scale = none ? 0.f : most * (1.f / 127.f);
        u32 q = round_int(v.x * unit) & 255 | (round_int(v.y * unit) & 255) << 8 | (round_int(v.z * unit) & 255) << 16 | (u32)round_int(v.w * unit) << 24;
        float sum = (float)dot4_unsigned(0x01010101, q, 0);
        sum += exchange(sum, 1);
        sum += exchange(sum, 2);
        sum += exchange(sum, 4);
        if (!there) return;
        *(u32*)(row + place(column)) = q;
        if ((THREAD & 7) == 0) *(F2*)(row + padded<WholeRows>() + column / 4) = F2{scale, sum * scale};
    }
    METHOD void clear(char* row, int column) {
        *(u32*)(row + place(column)) = 0;
        if (column % 32 == 0) *(F2*)(row + padded<WholeRows>() + column / 4) = F2{0, 0};
    }

    /// A lane's columns of a step; the second group is Blocks::Apart columns on.
    METHOD TwoGroups take(const char* row, u32 column) {
        const char *at = row + place(column), *scales = row + padded<WholeRows>() + column / 4;
        const char *next = row + (place(column) ^ 16);
        constexpr int Apart = Blocks::Apart;
        if (Apart == 32) {
            const char *second = row + (place(column) ^ 32), *last = row + (place(column) ^ 48);
            F4 both = *(const F4*)scales;
            return TwoGroups{{*(const U4*)at, *(const U4*)next}, {*(const U4*)second, *(const U4*)last}, {both.x, both.y}, {both.z, both.w}};
        }
        return TwoGroups{{*(const U4*)at, *(const U4*)next}, {*(const U4*)(at + Apart), *(const U4*)(next + Apart)}, *(const F2*)scales, *(const F2*)(scales + Apart / 4)};
    }
};

/// Scales and minima as in dot_pair; the second product is Times what it stands for.
template<int Times> TEMPLATE_DEVICE float scaled_pair(U4 head, int product0, int product1, const TwoGroups& x) {
    u32 scales, least;
    two_scales(head, THREAD & 3, &scales, &least);
    float products = (float)product0 * ((float)(scales & 255) * x.one.x) + (float)product1 * ((float)(scales >> 8) * (x.two.x * (1.f / Times)));
    return half_to_float(head.x) * products - half_to_float(head.x >> 16) * ((float)(least & 255) * x.one.y + (float)(least >> 8) * x.two.y);
}

struct WholeQ4K {
    static constexpr int BlockBytes = 144, Apart = 32;
    METHOD u32 column(u32 part) { return part * 64; }
    METHOD float dot(const char* block, const TwoGroups& x) {
        U4 head = *(const U4*)block, q0 = *(const U4*)(block + 16 + (THREAD & 3) * 32), q1 = *(const U4*)(block + 32 + (THREAD & 3) * 32);
        int low = dot32(nibbles_of(q0, 0), nibbles_of(q1, 0), x.first, 0), high = dot32(masked(q0, 0, 0xf0f0f0f0), masked(q1, 0, 0xf0f0f0f0), x.second, 0);
        return scaled_pair<16>(head, low, high, x);
    }
};

struct WholeQ5K {
    static constexpr int BlockBytes = 176, Apart = 32;
    METHOD u32 column(u32 part) { return part * 64; }
    METHOD float dot(const char* block, const TwoGroups& x) {
        u32 part = THREAD & 3;
        U4 head = *(const U4*)block, bits0 = *(const U4*)(block + 16), bits1 = *(const U4*)(block + 32), q0 = *(const U4*)(block + 48 + part * 32), q1 = *(const U4*)(block + 64 + part * 32);
        int turn = 2 * part - 4;   // the first group's bit to the fifth place
        int low = dot32(with_upper(q0, bits0, turn, 0x10101010), with_upper(q1, bits1, turn, 0x10101010), x.first, 0);
        int high = dot32(with_upper(nibbles_of(q0, 4), bits0, turn + 1, 0x10101010), with_upper(nibbles_of(q1, 4), bits1, turn + 1, 0x10101010), x.second, 0);
        return scaled_pair<1>(head, low, high, x);
    }
};

/// Low nibbles are columns 64 before those of the high ones; a scale for each sixteen.
struct WholeQ6K {
    static constexpr int BlockBytes = Q6_K::BlockBytes, Apart = 64;
    METHOD u32 column(u32 part) { return (part >> 1) * 128 + (part & 1) * 32; }
    METHOD int dot(U4 w, U4 x, u32 scale) {
        // Less 32 each.
        int sum = dot4(0x20202020, x.x, dot4(0x20202020, x.y, dot4(0x20202020, x.z, dot4(0x20202020, x.w, 0))));
        return (int)(s8)scale * (dot16_unsigned(w, x) - sum);
    }
    METHOD float dot(const char* block, const TwoGroups& x) {
        u32 part = THREAD & 3, half = part >> 1, quarter = part & 1;
        const char *low = block + half * 64 + quarter * 32, *bits = block + 128 + half * 32;
        U4 q0 = *(const U4*)low, q1 = *(const U4*)(low + 16), bits0 = *(const U4*)bits, bits1 = *(const U4*)(bits + 16);
        const u8* scales = (const u8*)block + 192 + half * 8 + quarter * 2;
        u32 scales0 = load16(scales), scales1 = load16(scales + 4);
        int turn = 2 * quarter, first = dot(with_upper(q0, bits0, turn - 4, 0x30303030), x.first[0], scales0) + dot(with_upper(q1, bits1, turn - 4, 0x30303030), x.first[1], scales0 >> 8);
        int second = dot(with_upper(nibbles_of(q0, 4), bits0, turn, 0x30303030), x.second[0], scales1) + dot(with_upper(nibbles_of(q1, 4), bits1, turn, 0x30303030), x.second[1], scales1 >> 8);
        return half_to_float(load16((const u8*)block + 208)) * ((float)first * x.one.x + (float)second * x.two.x);
    }
};

template<class Blocks> TEMPLATE_DEVICE void step_whole(const StepArguments& a) {
    typedef WholeRows<Blocks> Kind;
    DYNAMIC_SHARED(memory);
    int rows = rows_of_block<Kind>();
    char* values = memory + rows * Kind::stored_bytes();
    u64* arrivals = (u64*)(values + Kind::row_bytes());
    float* sums = (float*)(arrivals + MostWarps);
    F2* partials = (F2*)(sums + rows * SIZE(Split));
    float* scales = (float*)(partials + SIZE(Warps));
    start_dependents();

    int warp = THREAD / 32, track = divide(warp, SIZE(SplitInverse)), piece = warp - track * SIZE(Split), lane = THREAD & 31;
    int ownRows = SIZE(Units) * SIZE(TileRows), first = BLOCK_X * rows + track * ownRows, left = SIZE(Outputs) - first, there = left < 0 ? 0 : left < ownRows ? left : ownRows;
    char* stored = memory + track * ownRows * Kind::stored_bytes();
    if (piece == 0) bring(stored, a.weights.data + (u64)(u32)first * (u32)Kind::stored_bytes(), there * Kind::stored_bytes(), arrivals + track);
    F4 norm[MostVectors];
    if (SIZE(Input) != Plain)
        UNROLL
        for (int i = 0; i < MostVectors; i++) {
            int c = vector_column<Kind>(i);
            norm[i] = has_vector<Kind>(i) && c < SIZE(Columns) ? *(const F4*)(a.norm + c) : F4{1, 1, 1, 1};
        }
    int row = BLOCK_X * rows + THREAD;
    bool own = THREAD < rows && row < SIZE(Outputs);
    ConvInputs conv;
    if (SIZE(Taps) > 0 && own) load_conv(a, 0, row, conv);

    wait_for_inputs();
    float residual = a.addTo.data && own ? load_fresh(row_of(a.addTo, 0) + row) : 0.f;
    stage<Kind>(a, norm, values, partials);
    if (SIZE(Input) != Plain && THREAD == 0) scales[0] = scale_of<Kind>(a, total_of(partials).x, 0);

    await(arrivals + track);
    float parts[MostWhole];
    UNROLL
    for (int u = 0; u < MostWhole; u++) parts[u] = 0;
    const char* weights = stored + (lane * SIZE(TileRows) >> 5) * Kind::stored_bytes();
    for (int s = 0; s < SIZE(Steps); s++) {
        u32 block = (piece * SIZE(Steps) + s) * (lanes() / 4) + (lane_of_row() >> 2);
        TwoGroups x = Kind::take(values, block * 256 + Blocks::column(lane & 3));
        if (padded<Kind>() > SIZE(Columns) && block * 256 >= SIZE(Columns)) block = 0;   // by zeros
        UNROLL
        for (int u = 0; u < MostWhole; u++)
            if (u < SIZE(Units)) parts[u] += Blocks::dot(weights + u * SIZE(TileRows) * Kind::stored_bytes() + block * Blocks::BlockBytes, x);
    }
    UNROLL
    for (int u = 0; u < MostWhole; u++) {
        if (u >= SIZE(Units)) continue;
        float total = parts[u];
        UNROLL
        for (int mask = 16; mask > 0; mask >>= 1)
            if (mask < lanes()) total += exchange(total, mask);
        if (lane_of_row() == 0) sums[((track * SIZE(Units) + u) * SIZE(Split) + piece) * SIZE(TileRows) + (lane * SIZE(TileRows) >> 5)] = total;
    }
    sync();
    finish<Kind>(a, sums, partials, scales, 1, conv, residual);
}
