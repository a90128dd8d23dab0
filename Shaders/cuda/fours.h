// Four columns of a row of floats at a time, also where they do not lie on a multiple of sixteen bytes or are not all there.
#pragma once
#include "sizes.h"

DEVICE F4 some_of(const float* from, int count) {
    return F4{count > 0 ? from[0] : 0.f, count > 1 ? from[1] : 0.f, count > 2 ? from[2] : 0.f, count > 3 ? from[3] : 0.f};
}
/// Where they are accessed four at a time all are there or none. The compiler would make a plain load single ones, as the other way has such.
DEVICE F4 read_four(const float* from, int count, int wide) {
    if (!wide) return some_of(from, count);
    return count > 0 ? load_fresh4(from) : F4{0, 0, 0, 0};
}
