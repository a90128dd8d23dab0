// The products of a step with weights of 16 bits, exact but for float32 sums: x is the sum of two halves, which lie in the upper and the lower eight rows of
// a matrix of tensor cores; eight rows of weights are the other. A lane's sixteen bytes are columns that follow one another: as both sides take the columns
// in the same order, the product is the same.
#pragma once
#include "step.h"
#include "tensor.h"

template<class Type> struct HalfTiles {
    static constexpr int StepColumns = 32, MostDepth = 16, MostHeld = 4;
    static constexpr bool NeedsLargest = true, TakesSeveral = true;
    typedef U4 Slot;

    METHOD int tile_rows() { return 8; }
    METHOD int step_columns() { return StepColumns; }
    METHOD int row_bytes() { return padded<HalfTiles>() * 4 + (SIZE(Sequences) == 1 ? 0 : 16); }   // beside a row the next begins in other banks

    METHOD Slot fetch(const Weights& w, int tile, int step) {
        int lane = THREAD & 31, row = tile * 8 + lane / 4, column = step * StepColumns + lane % 4 * 8;
        if (row >= SIZE(Outputs)) row = SIZE(Outputs) - 1;
        bool there = padded<HalfTiles>() == SIZE(Columns) || column < SIZE(Columns);
        return there ? load_ahead(w.data + (u64)(u32)row * (u32)(SIZE(Columns) * 2) + column * 2) : U4{0, 0, 0, 0};
    }

    METHOD float scale(float largest) { return power_for(largest); }
    METHOD float unscale(float largest) { return power_back(largest); }

    /// Of four columns both halves, in the order in which the tensor cores take them.
    METHOD void put(char* row, int column, F4 v, bool there) {
        if (!there) return;
        u32 hi01 = pack(v.x, v.y, Type()), hi23 = pack(v.z, v.w, Type());
        u32 lo01 = pack(v.x - Type::widen(hi01), v.y - Type::widen(hi01 >> 16), Type()), lo23 = pack(v.z - Type::widen(hi23), v.w - Type::widen(hi23 >> 16), Type());
        *(U4*)(row + column * 4) = U4{hi01, lo01, hi23, lo23};
    }
    METHOD void clear(char* row, int column) { *(U4*)(row + column * 4) = U4{0, 0, 0, 0}; }

    METHOD const U4* fragments(const char* values, int step) {
        int lane = THREAD & 31;
        return (const U4*)(values + (SIZE(Sequences) == 1 ? 0 : lane / 4 * row_bytes()) + (step * StepColumns + lane % 4 * 8) * 4);
    }
    /// What a lane multiplies of x.
    struct Held {
        U4 x[MostHeld][2];

        MEMBER void load(const char* values, int step) {
            UNROLL
            for (int i = 0; i < MostHeld; i++)
                if (i < SIZE(Steps)) {
                    const U4* from = fragments(values, step + i);
                    x[i][0] = from[0];
                    x[i][1] = from[1];
                }
        }
    };

    struct Sums {
        float parts[4][4];

        MEMBER void clear() {
            UNROLL
            for (int i = 0; i < 4; i++)
                UNROLL
                for (int q = 0; q < 4; q++) parts[i][q] = 0;
        }
        MEMBER void add(const U4& w, int slot, const char* values, int step) {
            const U4* x = fragments(values, step);
            add(w, slot, x[0], x[1]);
        }
        MEMBER void add(const U4& w, int slot, const Held& held, int at) {
            U4 first = held.x[0][0], second = held.x[0][1];
            UNROLL
            for (int i = 1; i < MostHeld; i++)
                if (i == at) {
                    first = held.x[i][0];
                    second = held.x[i][1];
                }
            add(w, slot, first, second);
        }
        MEMBER void add(const U4& w, int slot, U4 first, U4 second) {
            u32 a[4] = { first.x, first.y, first.z, first.w }, b[4] = { second.x, second.y, second.z, second.w };
            multiply(parts[(slot & 1) * 2], a, w.x, w.y, Type());
            multiply(parts[(slot & 1) * 2 + 1], b, w.z, w.w, Type());
        }
        /// Sums of the rows of x in one half and in the other belong together.
        MEMBER void leave(float* sums, int tile, int count, float back) {
            int lane = THREAD & 31, sequence = lane / 4;
            float left = (parts[0][0] + parts[1][0] + (parts[2][0] + parts[3][0])) + (parts[0][2] + parts[1][2] + (parts[2][2] + parts[3][2]));
            float right = (parts[0][1] + parts[1][1] + (parts[2][1] + parts[3][1])) + (parts[0][3] + parts[1][3] + (parts[2][3] + parts[3][3]));
            if (sequence < count) *(F2*)(sums + (tile * SIZE(Sequences) + sequence) * 8 + lane % 4 * 2) = F2{left * back, right * back};
        }
    };
};
