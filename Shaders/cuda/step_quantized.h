// The products of a step with weights in blocks: x in 8 bits, integers within sixteen columns, float32 across them. A warp a row of weights.
// Each block rounds x for itself: that is shorter than waiting for another kernel, and as blocks have scales of their own, the norm's can wait to the end.
#pragma once
#include "step.h"

/// x in shared memory: signed bytes, then for each 32 columns a scale and what weights with an offset multiply, for each sixteen.
struct RoundedRow {
    METHOD void put(char* row, int padded, int column, F4 v, bool there) {
        float most = max_of(max_of(__builtin_fabsf(v.x), __builtin_fabsf(v.y)), max_of(__builtin_fabsf(v.z), __builtin_fabsf(v.w)));
        most = max_of(most, exchange(most, 1));
        most = max_of(most, exchange(most, 2));
        most = max_of(most, exchange(most, 4));
        float unit = most < Least ? 0.f : 127.f / most, scale = most < Least ? 0.f : most * (1.f / 127.f);
        int q0 = round_int(v.x * unit), q1 = round_int(v.y * unit), q2 = round_int(v.z * unit), q3 = round_int(v.w * unit);
        float sum = (float)(q0 + q1 + q2 + q3);
        sum += exchange(sum, 1);
        sum += exchange(sum, 2);
        float other = exchange(sum, 4);
        if (!there) return;
        *(u32*)(row + column) = (q0 & 255) | (q1 & 255) << 8 | (q2 & 255) << 16 | (u32)q3 << 24;
        if ((THREAD & 7) == 0) *(F4*)(row + padded + column / 2) = F4{scale, sum * scale, other * scale, 0};
    }
    METHOD U4 values(const char* row, int column) { return *(const U4*)(row + column); }
    METHOD F4 scales(const char* row, int padded, int column) { return *(const F4*)(row + padded + column / 32 * 16); }

    static constexpr float Least = 1e-30f;
};

DEVICE int dot16(U4 w, U4 x) { return dot4(w.x, x.x, dot4(w.y, x.y, dot4(w.z, x.z, dot4(w.w, x.w, 0)))); }

/// The parts that all block formats share. Blocks says how a lane reads its columns of a step.
template<class Blocks> struct QuantizedRows {
    static constexpr int TileRows = 1, StepColumns = 32 * Blocks::LaneColumns, MostDepth = Blocks::MostDepth, MostHeld = 0;
    static constexpr bool NeedsLargest = false, TakesSeveral = false;
    typedef typename Blocks::Slot Slot;

    METHOD int row_bytes() { return padded<QuantizedRows>() + padded<QuantizedRows>() / 2; }
    METHOD float scale(float) { return 1.f; }
    METHOD float unscale(float) { return 1.f; }
    METHOD void put(char* row, int column, F4 v, bool there) { RoundedRow::put(row, padded<QuantizedRows>(), column, v, there); }
    METHOD void clear(char* row, int column) {
        *(u32*)(row + column) = 0;
        if (column % 32 == 0) *(F4*)(row + padded<QuantizedRows>() + column / 2) = F4{0, 0, 0, 0};
    }

    METHOD int column_of(int step) { return step * StepColumns + (THREAD & 31) * Blocks::LaneColumns; }
    METHOD bool is_there(int column) { return padded<QuantizedRows>() == SIZE(Columns) || column < SIZE(Columns); }
    METHOD Slot fetch(const Weights& w, int row, int step) {
        if (row >= SIZE(Outputs)) row = SIZE(Outputs) - 1;
        int column = column_of(step);
        return Blocks::fetch(w, row, is_there(column) ? column : 0);
    }

    struct Held {
        MEMBER void load(const char*, int) { }
    };

    struct Sums {
        float sum;

        MEMBER void clear() { sum = 0; }
        MEMBER void add(const Slot& slot, int, const char* row, int step) {
            int column = column_of(step);
            if (is_there(column)) sum += Blocks::dot(slot, row, padded<QuantizedRows>(), column);
        }
        MEMBER void add(const Slot&, int, const Held&, int) { }
        MEMBER void leave(float* sums, int row, int, float) {
            float total = warp_sum(sum);
            if ((THREAD & 31) == 0) sums[row] = total;
        }
    };
};

struct Q8Slot { U4 q; u32 scale; };
/// Q8_0 repacked: sixteen columns a lane.
struct Q8Blocks {
    static constexpr int LaneColumns = 16, MostDepth = 10;
    typedef Q8Slot Slot;
    METHOD Slot fetch(const Weights& w, int row, int column) {
        u64 at = (u64)(u32)row * (u32)SIZE(Columns) + column;
        return Slot{load_ahead(w.data + at), load16(w.scales + at / 32 * 2)};
    }
    METHOD float dot(const Slot& s, const char* row, int padded, int column) {
        return (float)dot16(s.q, RoundedRow::values(row, column)) * (half_to_float(s.scale) * *(const float*)(row + padded + column / 32 * 16));
    }
};

/// Scales and minima of two neighbouring groups of Q4_K and Q5_K, the first in the low byte.
DEVICE void two_scales(U4 head, int pair, u32* scales, u32* least) {
    int shift = pair * 16 & 16;
    u32 a = head.y >> shift, b = head.z >> shift, e = head.w >> shift;
    *scales = pair < 2 ? a & 0x3f3f : e & 0x0f0f | a >> 2 & 0x3030;
    *least = pair < 2 ? b & 0x3f3f : e >> 4 & 0x0f0f | b >> 2 & 0x3030;
}
DEVICE U4 masked(U4 v, int shift, u32 mask) { return U4{v.x >> shift & mask, v.y >> shift & mask, v.z >> shift & mask, v.w >> shift & mask}; }
DEVICE U4 with_bits(U4 v, U4 high, int shift, u32 mask, int to) {
    return U4{v.x | (high.x >> shift & mask) << to, v.y | (high.y >> shift & mask) << to, v.z | (high.z >> shift & mask) << to, v.w | (high.w >> shift & mask) << to};
}
/// Sixteen columns of one group and those 32 on, by the scales and minima of both.
DEVICE float dot_pair(U4 head, U4 low, U4 high, const char* row, int padded, int column) {
    int own = THREAD & 7, pair = own / 2, first = column / 256 * 256 + pair * 64 + (own & 1) * 16;
    u32 scales, least;
    two_scales(head, pair, &scales, &least);
    F4 x0 = RoundedRow::scales(row, padded, first), x1 = RoundedRow::scales(row, padded, first + 32);
    float sum0 = own & 1 ? x0.z : x0.y, sum1 = own & 1 ? x1.z : x1.y;
    float products = (float)(scales & 255) * (x0.x * (float)dot16(low, RoundedRow::values(row, first)))
        + (float)(scales >> 8) * (x1.x * (float)dot16(high, RoundedRow::values(row, first + 32)));
    return half_to_float(head.x) * products - half_to_float(head.x >> 16) * ((float)(least & 255) * sum0 + (float)(least >> 8) * sum1);
}

struct Q4KSlot { U4 head, q; };
/// Q4_K: sixteen bytes a lane, whose low nibbles are columns of one group and whose high nibbles are those of the next; eight lanes a block.
struct Q4KBlocks {
    static constexpr int LaneColumns = 32, MostDepth = 6;
    typedef Q4KSlot Slot;
    METHOD Slot fetch(const Weights& w, int row, int column) {
        const u8* block = w.data + (u64)(u32)row * (u32)(SIZE(Columns) / 256 * 144) + column / 256 * 144;
        return Slot{load_ahead(block), load_ahead(block + 16 + (THREAD & 7) * 16)};
    }
    METHOD float dot(const Slot& s, const char* row, int padded, int column) {
        return dot_pair(s.head, masked(s.q, 0, 0x0f0f0f0f), masked(s.q, 4, 0x0f0f0f0f), row, padded, column);
    }
};

struct Q5KSlot { U4 head, bits, q; };
/// Q5_K: the same, and a bit more of each from sixteen bytes that all groups share.
struct Q5KBlocks {
    static constexpr int LaneColumns = 32, MostDepth = 4;
    typedef Q5KSlot Slot;
    METHOD Slot fetch(const Weights& w, int row, int column) {
        const u8* block = w.data + (u64)(u32)row * (u32)(SIZE(Columns) / 256 * 176) + column / 256 * 176;
        return Slot{load_ahead(block), load_ahead(block + 16 + (THREAD & 1) * 16), load_ahead(block + 48 + (THREAD & 7) * 16)};
    }
    METHOD float dot(const Slot& s, const char* row, int padded, int column) {
        int bit = THREAD & 6;   // that of the first group
        return dot_pair(s.head, with_bits(masked(s.q, 0, 0x0f0f0f0f), s.bits, bit, 0x01010101, 4),
            with_bits(masked(s.q, 4, 0x0f0f0f0f), s.bits, bit + 1, 0x01010101, 4), row, padded, column);
    }
};

struct Q6KSlot { U4 q, bits; u32 scales, d; };
/// Q6_K, its blocks padded to sixteen bytes: sixteen bytes a lane, whose low nibbles are columns 64 before those of the high ones; two bits more of each.
struct Q6KBlocks {
    static constexpr int LaneColumns = 32, MostDepth = 4;
    typedef Q6KSlot Slot;
    METHOD Slot fetch(const Weights& w, int row, int column) {
        const u8* block = w.data + (u64)(u32)row * (u32)(SIZE(Columns) / 256 * Q6_K::BlockBytes) + column / 256 * Q6_K::BlockBytes;
        int own = THREAD & 7, half = own >> 2, part = own & 3;
        const u8* scales = block + 192 + 8 * half + part;
        return Slot{load_ahead(block + own * 16), load_ahead(block + 128 + 32 * half + 16 * (part & 1)), scales[0] | (u32)scales[4] << 8, load16(block + 208)};
    }
    METHOD float dot(const Slot& s, const char* row, int padded, int column) {
        int own = THREAD & 7, half = own >> 2, part = own & 3, first = column / 256 * 256 + half * 128 + part * 16, bit = part & 2;
        U4 low = with_bits(masked(s.q, 0, 0x0f0f0f0f), s.bits, bit, 0x03030303, 4), high = with_bits(masked(s.q, 4, 0x0f0f0f0f), s.bits, bit + 4, 0x03030303, 4);
        F4 x0 = RoundedRow::scales(row, padded, first), x1 = RoundedRow::scales(row, padded, first + 64);
        // Less 32 each: what that takes from the sum is 32 times the sum of x.
        float a = x0.x * (float)dot16(low, RoundedRow::values(row, first)) - 32.f * (part & 1 ? x0.z : x0.y);
        float b = x1.x * (float)dot16(high, RoundedRow::values(row, first + 64)) - 32.f * (part & 1 ? x1.z : x1.y);
        return half_to_float(s.d) * ((float)(s8)s.scales * a + (float)(s8)(s.scales >> 8) * b);
    }
};
