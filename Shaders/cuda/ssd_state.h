// The state of Mamba-2's scan by chunks, and what comes of B and C for it and for the outputs.
#pragma once
#include "ssd_stage.h"

template<class Type, int States> struct Keeper {
    static constexpr int StateTiles = States / 4 / 8, Row = States + Padding;

    /// The state of all channels and a quarter of the states a warp.
    METHOD void keep(const SsdChunkArguments& t, ChunkRoom<States>& m, const Place& at) {
        const SsdArguments& a = t.scan;
        int lane = THREAD % 32, slice = (THREAD - Before) / 32, n0 = slice * (States / Slices), p = lane / 4, n = n0 + lane % 4 * 2;
        float h[2][StateTiles][4];
        UNROLL
        for (int i = 0; i < 2; i++)
            UNROLL
            for (int j = 0; j < StateTiles; j++)
                UNROLL
                for (int q = 0; q < 4; q++) {
                    int channel = 16 * i + p + q / 2 * 8, state = n + 8 * j + q % 2;
                    h[i][j][q] = at.p0 + channel < a.headDim && state < a.states ? at.state[(s64)channel * a.states + state] : 0.f;
                }
        show(m.h[0], m.hBack[0][slice], h, p, n);
        copy(t, at, m.stages[0], 0);
        if (Scaled<Type>) sync();
        for (int chunk = 0; chunk < at.chunks; chunk++) {
            wait_copies<0>();
            sync();
            if (chunk + 1 < at.chunks) copy(t, at, m.stages[(chunk + 1) & 1], chunk + 1);
            const Stage<States>& s = m.stages[chunk & 1];
            float all = s.all, added[2][StateTiles][4] = {};
            float (*sums)[StateTiles][4] = Scaled<Type> ? added : h;
            UNROLL
            for (int i = 0; i < 2; i++)
                UNROLL
                for (int j = 0; j < StateTiles; j++)
                    UNROLL
                    for (int q = 0; q < 4; q++) h[i][j][q] *= all;
            UNROLL
            for (int k = 0; k < Chunk; k += 16) {
                u32 x[2][2][4], b[2][StateTiles / 2][4];
                UNROLL
                for (int part = 0; part < 2; part++) {
                    UNROLL
                    for (int i = 0; i < 2; i++) load_transposed(x[part][i], &s.weighted[part][k + (lane >> 4) * 8 + (lane & 7)][16 * i + (lane >> 3 & 1) * 8]);
                    UNROLL
                    for (int j = 0; j < StateTiles / 2; j++) load_transposed(b[part][j], &s.parts[part][k + (lane & 15)][n0 + 16 * j + (lane >> 4) * 8]);
                }
                UNROLL
                for (int part = 0; part < 3; part++)
                    UNROLL
                    for (int i = 0; i < 2; i++)
                        UNROLL
                        for (int j = 0; j < StateTiles; j++) multiply(sums[i][j], x[part / 2][i], b[part % 2][j / 2][j % 2 * 2], b[part % 2][j / 2][j % 2 * 2 + 1], Type());
            }
            if constexpr (Scaled<Type>) {
                float back = s.weightedBack;
                UNROLL
                for (int i = 0; i < 2; i++)
                    UNROLL
                    for (int j = 0; j < StateTiles; j++)
                        UNROLL
                        for (int q = 0; q < 4; q++) h[i][j][q] += added[i][j][q] * back;
            }
            show(m.h[(chunk + 1) & 1], m.hBack[(chunk + 1) & 1][slice], h, p, n);
        }
        UNROLL
        for (int i = 0; i < 2; i++)
            UNROLL
            for (int j = 0; j < StateTiles; j++)
                UNROLL
                for (int q = 0; q < 4; q++) {
                    int channel = 16 * i + p + q / 2 * 8, state = n + 8 * j + q % 2;
                    if (at.p0 + channel < a.headDim && state < a.states) at.state[(s64)channel * a.states + state] = h[i][j][q];
                }
    }
    METHOD void show(u16 (*to)[Channels][Row], float& back, const float (*h)[StateTiles][4], int p, int n) {
        float power = 1;
        if constexpr (Scaled<Type>) {
            float most = 0;
            UNROLL
            for (int i = 0; i < 2; i++)
                UNROLL
                for (int j = 0; j < StateTiles; j++) most = larger(most, most_of(F4{h[i][j][0], h[i][j][1], h[i][j][2], h[i][j][3]}));
            most = warp_max(most);
            power = power_for(most);
            if (THREAD % 32 == 0) back = power_back(most);
        }
        UNROLL
        for (int i = 0; i < 2; i++)
            UNROLL
            for (int j = 0; j < StateTiles; j++)
                UNROLL
                for (int half = 0; half < 2; half++) {
                    Split s = split<Type>(h[i][j][2 * half] * power, h[i][j][2 * half + 1] * power);
                    *(u32*)&to[0][16 * i + p + 8 * half][n + 8 * j] = s.high;
                    *(u32*)&to[1][16 * i + p + 8 * half][n + 8 * j] = s.low;
                }
    }
    /// Asks for B and C of a chunk.
    METHOD void copy(const SsdChunkArguments& t, const Place& at, Stage<States>& s, int chunk) {
        constexpr int Eights = States / 8;
        int own = THREAD - Before, column = own % Eights * 8, first = at.start + chunk * Chunk, left = at.length - chunk * Chunk;
        const u16* from = t.parts + ((s64)first * t.scan.groups + at.group) * 4 * States + column;
        _Pragma("unroll 4")     // all at once leave no registers on 8.0
        for (int i = 0; i < Chunk / (Keepers / Eights); i++) {
            int row = i * (Keepers / Eights) + own / Eights;
            const u16* at_row = from + (s64)(row < left ? row : 0) * t.scan.groups * 4 * States;
            UNROLL
            for (int part = 0; part < 4; part++) copy_async(&s.parts[part][row][column], at_row + part * States, row < left);
        }
        commit_copies();
    }
};
