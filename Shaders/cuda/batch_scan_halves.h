// The scan of many sequences with the projection of dt by weights of 16 bits, on tensor cores: sixteen channels by eight sequences a warp, two warps by pieces
// of the inner dimension. A lane's sixteen bytes are columns that follow one another, which both sides take in the same order.
#pragma once
#include "batch_scan.h"
#include "tensor.h"

template<class Type> struct Projected {
    static constexpr int MostPieces = 4, Columns = 32, Pieces = 2, MostColumns = MostPieces * Pieces * Columns, LanesOfRow = Threads / Together, MostFours = MostColumns / 4 / LanesOfRow;
    struct Room {
        alignas(16) u16 x[Together][MostColumns + 8];   // padded: what rows hold lies in other banks
        float products[Pieces][Together][Channels], scales[Together];
    };
    U4 w[MostPieces][2];
    F4 x[MostFours];

    METHOD int column(int piece) { return (piece * Pieces + THREAD / 64) * Columns + THREAD % 4 * 8; }

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
    /// Sixteen lanes bring a row of what is multiplied.
    MEMBER void load(const BatchScanArguments& a, int first, int count) {
        int s = THREAD / LanesOfRow;
        const float* from = row_of(a.dt, first + (s < count ? s : 0));
        UNROLL
        for (int i = 0; i < MostFours; i++) {
            int k = (i * LanesOfRow + THREAD % LanesOfRow) * 4;
            x[i] = k < a.weights.columns ? load_fresh4(from + k) : F4{0, 0, 0, 0};
        }
    }
    MEMBER void leave(const BatchScanArguments& a, Room& m) {
        int s = THREAD / LanesOfRow;
        float squares = 0;
        UNROLL
        for (int i = 0; i < MostFours; i++) {
            *(U2*)&m.x[s][(i * LanesOfRow + THREAD % LanesOfRow) * 4] = U2{pack(x[i].x, x[i].y, Type()), pack(x[i].z, x[i].w, Type())};
            squares += x[i].x * x[i].x + x[i].y * x[i].y + (x[i].z * x[i].z + x[i].w * x[i].w);
        }
        if (a.normed) squares = half_warp_sum(squares);
        if (THREAD % LanesOfRow == 0) m.scales[s] = a.normed ? root_reciprocal(squares / (float)a.weights.columns + a.epsilon) : 1.f;
    }
    MEMBER void multiply(const BatchScanArguments& a, Room& m) {
        int own = (THREAD & 31) / 4;
        float sums[4] = { 0, 0, 0, 0 };
        UNROLL
        for (int i = 0; i < MostPieces; i++) {
            if (i * Pieces * Columns >= a.weights.columns) break;
            U4 v = *(const U4*)&m.x[own][column(i)];
            u32 left[4] = { w[i][0].x, w[i][1].x, w[i][0].y, w[i][1].y }, right[4] = { w[i][0].z, w[i][1].z, w[i][0].w, w[i][1].w };
            ::multiply(sums, left, v.x, v.y, Type());
            ::multiply(sums, right, v.z, v.w, Type());
        }
        int channel = THREAD / 32 % 2 * 16 + own, sequence = THREAD % 4 * 2;
        UNROLL
        for (int i = 0; i < 4; i++) m.products[THREAD / 64][sequence + i % 2][channel + i / 2 * 8] = sums[i];
    }
    METHOD float dt(const BatchScanArguments&, const Room& m, int, int s, int, int lane) { return (m.products[0][s][lane] + m.products[1][s][lane]) * m.scales[s]; }
};
