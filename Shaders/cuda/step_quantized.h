// The products of a step with weights in blocks: x in 8 bits, integers within sixteen columns, float32 across them. A warp some rows of weights.
// Each block rounds x for itself: that is shorter than waiting for another kernel, and as blocks have scales of their own, the norm's can wait to the end.
#pragma once
#include "step.h"

/// x in shared memory: signed bytes, then for each sixteen columns a scale, that of 32, and what weights with an offset multiply.
struct RoundedRow {
    METHOD void put(char* row, int padded, int column, F4 v, bool there) {
        float most = max_of(max_of(__builtin_fabsf(v.x), __builtin_fabsf(v.y)), max_of(__builtin_fabsf(v.z), __builtin_fabsf(v.w)));
        most = max_of(most, exchange(most, 1));
        most = max_of(most, exchange(most, 2));
        most = max_of(most, exchange(most, 4));
        float unit = most < Least ? 0.f : 127.f * reciprocal_flushed(most), scale = most < Least ? 0.f : most * (1.f / 127.f);
        int q0 = round_int(v.x * unit), q1 = round_int(v.y * unit), q2 = round_int(v.z * unit), q3 = round_int(v.w * unit);
        float sum = (float)(q0 + q1 + q2 + q3);
        sum += exchange(sum, 1);
        sum += exchange(sum, 2);
        float other = exchange(sum, 4);
        if (!there) return;
        *(u32*)(row + column) = (q0 & 255) | (q1 & 255) << 8 | (q2 & 255) << 16 | (u32)q3 << 24;
        if ((THREAD & 7) == 0) *(F4*)(row + padded + column / 2) = F4{scale, sum * scale, scale, other * scale};
    }
    /// Sixteen columns from one on, and their scale and sum.
    METHOD U4 values(const char* row, u32 column) { return *(const U4*)(row + column); }
    METHOD F2 scales(const char* scales, u32 column) { return *(const F2*)(scales + column / 2); }

    static constexpr float Least = 1e-30f;
};

DEVICE int dot16(U4 w, U4 x) { return dot4(w.x, x.x, dot4(w.y, x.y, dot4(w.z, x.z, dot4(w.w, x.w, 0)))); }

/// Lanes of a row of weights, and which of them this is.
DEVICE int lanes() { return SIZE(TileRows) == 8 ? 4 : SIZE(TileRows) == 4 ? 8 : SIZE(TileRows) == 2 ? 16 : 32; }
DEVICE u32 lane_of_row() { return THREAD & lanes() - 1; }

/// The parts that all block formats share: a warp one, two or four rows of weights. Blocks says how a lane reads its columns of a step.
template<class Blocks> struct QuantizedRows {
    static constexpr int MostDepth = Blocks::MostDepth, MostHeld = 0;
    static constexpr bool NeedsLargest = false, TakesSeveral = false;
    typedef typename Blocks::Slot Slot;

    METHOD int tile_rows() { return SIZE(TileRows); }
    METHOD int step_columns() { return lanes() * Blocks::LaneColumns; }
    METHOD int row_bytes() { return padded<QuantizedRows>() + padded<QuantizedRows>() / 2; }
    METHOD float scale(float) { return 1.f; }
    METHOD float unscale(float) { return 1.f; }
    METHOD void put(char* row, int column, F4 v, bool there) { RoundedRow::put(row, padded<QuantizedRows>(), column, v, there); }
    METHOD void clear(char* row, int column) {
        *(u32*)(row + column) = 0;
        if (column % 32 == 0) *(F4*)(row + padded<QuantizedRows>() + column / 2) = F4{0, 0, 0, 0};
    }

    /// Of columns beyond the last x is zero, and the lane reads others.
    METHOD Slot fetch(const Weights& w, int tile, int step) {
        int lane = THREAD & 31, row = tile * SIZE(TileRows) + (lane * SIZE(TileRows) >> 5);
        if (row >= SIZE(Outputs)) row = SIZE(Outputs) - 1;
        int column = step * step_columns() + lane_of_row() * Blocks::LaneColumns;
        return Blocks::fetch(w, row, padded<QuantizedRows>() == SIZE(Columns) || column < SIZE(Columns) ? column : 0);
    }

    struct Held {
        MEMBER void load(const char*, int) { }
    };

    struct Sums {
        float sum;

        MEMBER void clear() { sum = 0; }
        MEMBER void add(const Slot& slot, int, const char* row, int step) {
            sum += Blocks::dot(slot, row, row + padded<QuantizedRows>(), step);
        }
        MEMBER void add(const Slot&, int, const Held&, int) { }
        MEMBER void leave(float* sums, int tile, int, float) {
            float total = sum;
            UNROLL
            for (int mask = 16; mask > 0; mask >>= 1)
                if (mask < lanes()) total += exchange(total, mask);
            int lane = THREAD & 31;
            if (lane_of_row() == 0) sums[tile * SIZE(TileRows) + (lane * SIZE(TileRows) >> 5)] = total;
        }
    };
};

struct Q8Slot { U4 q; u32 scale; };
/// Q8_0 repacked: sixteen columns a lane.
struct Q8Blocks {
    static constexpr int LaneColumns = 16, MostDepth = 10;
    typedef Q8Slot Slot;
    METHOD u32 column_of(int step) { return (u32)step * (lanes() * 16) + lane_of_row() * 16; }
    METHOD Slot fetch(const Weights& w, int row, u32 column) {
        u64 at = (u64)(u32)row * (u32)SIZE(Columns) + column;
        return Slot{load_ahead(w.data + at), load16(w.scales + at / 32 * 2)};
    }
    METHOD float dot(const Slot& s, const char* row, const char* scales, int step) {
        return (float)dot16(s.q, RoundedRow::values(row, column_of(step))) * (half_to_float(s.scale) * RoundedRow::scales(scales, column_of(step)).x);
    }
};

/// Scales and minima of two neighbouring groups of Q4_K and Q5_K, the first in the low byte.
DEVICE void two_scales(U4 head, int pair, u32* scales, u32* least) {
    int shift = pair * 16 & 16;
    bool second = pair >= 2;   // of the block's halves: four bits in one place, two in another
    u32 low = second ? 0x0f0f : 0, high = second ? 0x3030 : 0x3f3f;
    int to = second ? shift + 2 : shift;
    *scales = head.w >> shift & low | head.y >> to & high;
    *least = head.w >> shift + 4 & low | head.z >> to & high;
}
DEVICE U4 masked(U4 v, int shift, u32 mask) { return U4{v.x >> shift & mask, v.y >> shift & mask, v.z >> shift & mask, v.w >> shift & mask}; }
DEVICE U4 with_bits(U4 v, U4 high, int shift, u32 mask, int to) {
    return U4{v.x | (high.x >> shift & mask) << to, v.y | (high.y >> shift & mask) << to, v.z | (high.z >> shift & mask) << to, v.w | (high.w >> shift & mask) << to};
}
DEVICE int dot16_unsigned(U4 w, U4 x) { return dot4_unsigned(w.x, x.x, dot4_unsigned(w.y, x.y, dot4_unsigned(w.z, x.z, dot4_unsigned(w.w, x.w, 0)))); }
/// The block of 256 columns that a lane reads in a step, eight lanes one.
DEVICE u32 block_of(int step) { return (u32)step * (lanes() / 8) + (lane_of_row() >> 3); }
/// Sixteen columns of one group and those 32 on, by the scales and minima of both. `high` is Times what it stands for.
template<int Times> TEMPLATE_DEVICE float dot_pair(U4 head, U4 low, U4 high, const char* row, const char* rowScales, int step) {
    u32 own = THREAD & 7, pair = own / 2, first = block_of(step) * 256 + pair * 64 + (own & 1) * 16;
    u32 scales, least;
    two_scales(head, pair, &scales, &least);
    F2 x0 = RoundedRow::scales(rowScales, first), x1 = RoundedRow::scales(rowScales, first + 32);
    int product0 = (int)(scales & 255) * dot16(low, RoundedRow::values(row, first)), product1 = (int)(scales >> 8) * dot16_unsigned(high, RoundedRow::values(row, first + 32));
    float products = (float)product0 * x0.x + (float)product1 * (x1.x * (1.f / Times));
    return half_to_float(head.x) * products - half_to_float(head.x >> 16) * ((float)(least & 255) * x0.y + (float)(least >> 8) * x1.y);
}

struct Q4KSlot { U4 head, q; };
/// Q4_K: sixteen bytes a lane, whose low nibbles are columns of one group and whose high nibbles are those of the next; eight lanes a block.
struct Q4KBlocks {
    static constexpr int LaneColumns = 32, MostDepth = 6;
    typedef Q4KSlot Slot;
    METHOD Slot fetch(const Weights& w, int row, u32 column) {
        const u8* block = w.data + (u64)(u32)row * (u32)(SIZE(Columns) / 256 * 144) + column / 256 * 144;
        return Slot{load_ahead(block), load_ahead(block + 16 + (THREAD & 7) * 16)};
    }
    METHOD float dot(const Slot& s, const char* row, const char* scales, int step) {
        return dot_pair<16>(s.head, masked(s.q, 0, 0x0f0f0f0f), masked(s.q, 0, 0xf0f0f0f0), row, scales, step);
    }
};

struct Q5KSlot { U4 head, bits, q; };
/// Q5_K: the same, and a bit more of each from sixteen bytes that all groups share.
struct Q5KBlocks {
    static constexpr int LaneColumns = 32, MostDepth = 4;
    typedef Q5KSlot Slot;
    METHOD Slot fetch(const Weights& w, int row, u32 column) {
        const u8* block = w.data + (u64)(u32)row * (u32)(SIZE(Columns) / 256 * 176) + column / 256 * 176;
        return Slot{load_ahead(block), load_ahead(block + 16 + (THREAD & 1) * 16), load_ahead(block + 48 + (THREAD & 7) * 16)};
    }
    METHOD float dot(const Slot& s, const char* row, const char* scales, int step) {
        int bit = THREAD & 6;   // that of the first group
        return dot_pair<1>(s.head, with_bits(masked(s.q, 0, 0x0f0f0f0f), s.bits, bit, 0x01010101, 4),
            with_bits(masked(s.q, 4, 0x0f0f0f0f), s.bits, bit + 1, 0x01010101, 4), row, scales, step);
    }
};

struct Q6KSlot { U4 q, bits; u32 scales, d; };
/// Q6_K, its blocks padded to sixteen bytes: sixteen bytes a lane, whose low nibbles are columns 64 before those of the high ones; two bits more of each.
struct Q6KBlocks {
    static constexpr int LaneColumns = 32, MostDepth = 4;
    typedef Q6KSlot Slot;
    METHOD Slot fetch(const Weights& w, int row, u32 column) {
        const u8* block = w.data + (u64)(u32)row * (u32)(SIZE(Columns) / 256 * Q6_K::BlockBytes) + column / 256 * Q6_K::BlockBytes;
        int own = THREAD & 7, half = own >> 2, part = own & 3;
        const u8* scales = block + 192 + 8 * half + part;
        return Slot{load_ahead(block + own * 16), load_ahead(block + 128 + 32 * half + 16 * (part & 1)), scales[0] | (u32)scales[4] << 8, load16(block + 208)};
    }
    METHOD float dot(const Slot& s, const char* row, const char* scales, int step) {
        u32 own = THREAD & 7, half = own >> 2, part = own & 3, first = block_of(step) * 256 + half * 128 + part * 16, bit = part & 2;
        U4 low = with_bits(masked(s.q, 0, 0x0f0f0f0f), s.bits, bit, 0x03030303, 4), high = with_bits(masked(s.q, 4, 0x0f0f0f0f), s.bits, bit + 4, 0x03030303, 4);
        F2 x0 = RoundedRow::scales(scales, first), x1 = RoundedRow::scales(scales, first + 64);
        // Less 32 each: what that takes from the sum is 32 times the sum of x.
        float a = x0.x * (float)dot16(low, RoundedRow::values(row, first)) - 32.f * x0.y;
        float b = x1.x * (float)dot16(high, RoundedRow::values(row, first + 64)) - 32.f * x1.y;
        return half_to_float(s.d) * ((float)(s8)s.scales * a + (float)(s8)(s.scales >> 8) * b);
    }
};
