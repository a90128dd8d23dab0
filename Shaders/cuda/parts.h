// Rows of floats as sums of halves, which products multiply exactly: the nearest to each value, the nearest to what that leaves, and so on.
#pragma once
#include "halves.h"

/// Where the parts of a matrix go, one below the other.
struct Parted {
    Halves to;      // its rows are as long as eights of columns; null data: nowhere
    float* back;    // what leads back, of each row
    int apart;      // rows from one part to the next
    int count;      // two of F16, or three of BF16
    int only;       // whether nothing reads the floats
};

/// The largest over all threads of a block; `room` holds 32 floats.
DEVICE float block_max(float v, float* room) {
    v = warp_max(v);
    if ((THREAD & 31) == 0) room[THREAD >> 5] = v;
    sync();
    return warp_max((THREAD & 31) < THREADS / 32 ? room[THREAD & 31] : 0.f);
}
/// What a row is multiplied by, whose largest value is `most`.
DEVICE float begin_parts(const Parted& p, int row, float most) {
    if (THREAD == 0) p.back[row] = power_back(most);
    return power_for(most);
}
template<class Type, int Count> TEMPLATE_DEVICE void put_parts_of(const Parted& p, int row, int column, F4 v) {
    UNROLL
    for (int i = 0; i < Count; i++) {
        u32 parts[4] = { Type::round(v.x), Type::round(v.y), Type::round(v.z), Type::round(v.w) };
        *(U2*)(p.to.data + ((s64)i * p.apart + row) * p.to.stride + column) = U2{parts[0] | parts[1] << 16, parts[2] | parts[3] << 16};
        v = F4{v.x - Type::widen(parts[0]), v.y - Type::widen(parts[1]), v.z - Type::widen(parts[2]), v.w - Type::widen(parts[3])};
    }
}
/// Four columns of a row.
DEVICE void put_parts(const Parted& p, int row, int column, F4 v, float power) {
    v = F4{v.x * power, v.y * power, v.z * power, v.w * power};
    if (p.count == 2) put_parts_of<Half, 2>(p, row, column, v);
    else put_parts_of<Bfloat, 3>(p, row, column, v);
}
