// The scan of many sequences with the projection of dt by weights of 16 bits, on tensor cores: sixteen channels by eight sequences a warp, two warps by pieces
// of the inner dimension. A lane's sixteen bytes are columns that follow one another, which both sides take in the same order.
#pragma once
#include "batch_scan.h"
#include "tensor.h"

template<class Type> struct Projected {
    static constexpr int MostPieces = 4, Columns = 32;
    U4 w[MostPieces][2];

    METHOD int column(int piece) { return (piece * Parts + THREAD / 64) * Columns + THREAD % 4 * 8; }

    MEMBER void ask(const BatchScanArguments& a, int channel) {
        channel += THREAD / 32 % 2 * 16 + (THREAD & 31) / 4;
        int last = a.weights.rows - 1;
        UNROLL
        for (int i = 0; i < MostPieces; i++)
            UNROLL
            for (int j = 0; j < 2; j++) {
                int row = channel + 8 * j < last ? channel + 8 * j : last, k = column(i);
                w[i][j] = k < a.weights.columns ? load_ahead(a.weights.data + row * a.weights.stride + k * 2) : U4{0, 0, 0, 0};
            }
    }
    MEMBER void multiply(const BatchScanArguments& a, ScanRoom& m, int first, int count) {
        int own = (THREAD & 31) / 4;
        const float* x = row_of(a.dt, first + (own < count ? own : 0));
        float sums[4] = { 0, 0, 0, 0 };
        UNROLL
        for (int i = 0; i < MostPieces; i++) {
            if (i * Parts * Columns >= a.weights.columns) break;
            int k = column(i);
            bool there = k < a.weights.columns;
            F4 p = there ? load_fresh4(x + k) : F4{0, 0, 0, 0}, q = there ? load_fresh4(x + k + 4) : F4{0, 0, 0, 0};
            u32 left[4] = { w[i][0].x, w[i][1].x, w[i][0].y, w[i][1].y }, right[4] = { w[i][0].z, w[i][1].z, w[i][0].w, w[i][1].w };
            ::multiply(sums, left, pack(p.x, p.y, Type()), pack(p.z, p.w, Type()), Type());
            ::multiply(sums, right, pack(q.x, q.y, Type()), pack(q.z, q.w, Type()), Type());
        }
        int channel = THREAD / 32 % 2 * 16 + own, sequence = THREAD % 4 * 2;
        UNROLL
        for (int i = 0; i < 4; i++) m.products[THREAD / 64][sequence + i % 2][channel + i / 2 * 8] = sums[i];
    }
    METHOD float dt(const BatchScanArguments& a, const ScanRoom& m, int, int s, int, int lane) {
        return (m.products[0][s][lane] + m.products[1][s][lane]) * (a.normed ? m.scales[s] : 1.f);
    }
};
