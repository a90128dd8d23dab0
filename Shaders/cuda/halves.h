// Floats of sixteen bits: how they are rounded to.
#pragma once
#include "activations.h"

struct Halves {
    u16* data;
    int stride;
};

enum HalfKind { AsHalf = 0, AsBfloat = 1, AsRounded = 2 };

/// What a kernel's output is rounded to for the products that read it.
struct Rounding {
    Halves to;      // null data: nothing
    int kind;       // AsRounded: halves of what is rounded to 8 bits first, as products of few rows read it
    int only;       // whether nothing reads the floats
};

struct Half {
    METHOD u16 round(float x) { return float_to_half(x); }
    METHOD float widen(u32 bits) { return half_to_float(bits & 0xffff); }
};
struct Bfloat {
    METHOD u16 round(float x) {
        u32 bits = __builtin_bit_cast(u32, x);
        return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    }
    METHOD float widen(u32 bits) { return bfloat_to_float(bits & 0xffff); }
};

/// The power of two that brings the largest of some values to 2^14, where what a half leaves of the others is a half too; and the power that leads back.
DEVICE u32 exponent_of(float largest) {
    u32 e = __builtin_bit_cast(u32, largest) >> 23;
    return e < 15 ? 15 : e > 253 ? 253 : e;
}
DEVICE float power_for(float largest) { return __builtin_bit_cast(float, (268u - exponent_of(largest)) << 23); }
DEVICE float power_back(float largest) { return __builtin_bit_cast(float, (exponent_of(largest) - 14u) << 23); }

DEVICE u32 rounded(const Rounding& r, float x) { return r.kind == AsBfloat ? Bfloat::round(x) : Half::round(x); }
DEVICE u32 rounded_pair(const Rounding& r, float x, float y) { return rounded(r, x) | rounded(r, y) << 16; }
/// x as the 8 bits of its block of 32 say, whose largest is `most`.
DEVICE float in_bytes(float x, float most) { return most < Tiny ? 0.f : (float)round_int(x * (127.f / most)) * (most / 127.f); }

/// Writes an output as float, as halves, or both; 8 bits are not asked of whoever has no whole blocks.
DEVICE void deliver_plain(const Matrix& y, const Rounding& r, int row, int column, float value) {
    if (!r.only) row_of(y, row)[column] = value;
    if (r.to.data) r.to.data[(s64)row * r.to.stride + column] = rounded(r, value);
}
/// Writes an output as float, as halves, or both. For 8 bits the lanes of a warp have the 32 columns of a block.
DEVICE void deliver(const Matrix& y, const Rounding& r, int row, int column, float value) {
    if (!r.only) row_of(y, row)[column] = value;
    if (!r.to.data) return;
    if (r.kind == AsRounded) value = in_bytes(value, warp_max(value < 0 ? -value : value));
    r.to.data[(s64)row * r.to.stride + column] = rounded(r, value);
}
DEVICE float most_of(F4 v) {
    return larger(larger(v.x < 0 ? -v.x : v.x, v.y < 0 ? -v.y : v.y), larger(v.z < 0 ? -v.z : v.z, v.w < 0 ? -v.w : v.w));
}
/// Four columns as 8 bits say them: all lanes of a warp are here, and eight of them have a block.
DEVICE F4 four_in_bytes(F4 v) {
    float most = most_of(v);
    most = larger(most, exchange(most, 1)); most = larger(most, exchange(most, 2)); most = larger(most, exchange(most, 4));
    return F4{in_bytes(v.x, most), in_bytes(v.y, most), in_bytes(v.z, most), in_bytes(v.w, most)};
}
/// Two columns at once, where both memories allow accesses of that size; 8 bits are not asked for.
DEVICE void deliver_two_plain(const Matrix& y, const Rounding& r, int row, int column, F2 v) {
    if (!r.only) *(F2*)(row_of(y, row) + column) = v;
    if (r.to.data) *(u32*)(r.to.data + (s64)row * r.to.stride + column) = rounded_pair(r, v.x, v.y);
}
/// Four columns at once, where both memories allow accesses of that size; 8 bits are not asked for.
DEVICE void deliver_four_plain(const Matrix& y, const Rounding& r, int row, int column, F4 v) {
    if (!r.only) *(F4*)(row_of(y, row) + column) = v;
    if (r.to.data) *(U2*)(r.to.data + (s64)row * r.to.stride + column) = U2{rounded_pair(r, v.x, v.y), rounded_pair(r, v.z, v.w)};
}
/// Four columns at once, where both memories allow accesses of that size. For 8 bits all lanes of a warp are here, and eight of them have a block.
DEVICE void deliver_four(const Matrix& y, const Rounding& r, int row, int column, F4 v, bool there) {
    if (there && !r.only) *(F4*)(row_of(y, row) + column) = v;
    if (!r.to.data) return;
    if (r.kind == AsRounded) v = four_in_bytes(v);
    if (there) *(U2*)(r.to.data + (s64)row * r.to.stride + column) = U2{rounded_pair(r, v.x, v.y), rounded_pair(r, v.z, v.w)};
}
