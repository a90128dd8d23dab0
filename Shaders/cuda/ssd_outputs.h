// Outputs of Mamba-2's scan by chunks: what rows get of the state before their chunk, and of the rows of it before them.
#pragma once
#include "ssd_stage.h"

static constexpr int Near = 2;      // sixteens of rows, its own the last, that the warp has which makes an output

/// What sixteen rows get of some sixteens of their chunk's rows, `from` on: a lane has of rows `row` and 8 further the products of C and B, asked for a chunk ahead.
template<class Type, int States> struct Within {
    int tile, from, to;
    const float* next;
    s64 eightRows;
    F2 pairs[Near][4];

    MEMBER void begin(const SsdChunkArguments& t, const Place& at) {
        int lane = THREAD % 32;
        next = t.pairs + ((s64)(at.start + tile * 16 + lane / 4) * t.scan.groups + at.group) * Chunk + lane % 4 * 2;
        eightRows = 8 * (s64)t.scan.groups * Chunk;
    }
    MEMBER bool has(int i) const { return from + i >= 0 && from + i < to; }
    /// Of the next chunk, of which `left` rows are there; before the barrier, behind which B and C come in: they would be waited for.
    MEMBER void ask(int left) {
        int rows = left - tile * 16 - THREAD % 32 / 4;
        UNROLL
        for (int i = 0; i < Near; i++)
            UNROLL
            for (int q = 0; q < 4; q++) pairs[i][q] = has(i) && q % 2 * 8 < rows ? *(const F2*)(next + (q % 2 ? eightRows : 0) + (from + i) * 16 + q / 2 * 8) : F2{0, 0};
        next += 8 * eightRows;
    }
    MEMBER void take(const Stage<States>& s, float D, float (*sums)[4], float (*all)[4]) {
        int lane = THREAD % 32, row = tile * 16 + lane / 4;
        if (!has(0) && !has(Near - 1)) return;
        F2 since[2] = { s.since[row], s.since[row + 8] };
        float power[2] = { 1, 1 }, back[2] = { 1, 1 };
        UNROLL
        for (int i = 0; i < Near; i++)
            UNROLL
            for (int q = 0; q < 4; q++)
                if (has(i)) pairs[i][q] = weights(s, since[q % 2], row + q % 2 * 8, (from + i) * 16 + q / 2 * 8 + lane % 4 * 2, pairs[i][q], D);
        if constexpr (Scaled<Type>) {
            UNROLL
            for (int r = 0; r < 2; r++) {
                float most = 0;
                UNROLL
                for (int i = 0; i < Near; i++) most = larger(most, most_of(F4{pairs[i][r].x, pairs[i][r].y, pairs[i][r + 2].x, pairs[i][r + 2].y}));
                most = larger(most, exchange(most, 1));
                most = larger(most, exchange(most, 2));
                power[r] = power_for(most);
                back[r] = power_back(most);
            }
        }
        UNROLL
        for (int i = 0; i < Near; i++) {
            if (!has(i)) continue;
            u32 weights[2][4], x[2][Tiles / 2][4];
            UNROLL
            for (int q = 0; q < 4; q++) {
                Split w = split<Type>(pairs[i][q].x * power[q % 2], pairs[i][q].y * power[q % 2]);
                weights[0][q] = w.high;
                weights[1][q] = w.low;
            }
            UNROLL
            for (int part = 0; part < 2; part++)
                UNROLL
                for (int j = 0; j < Tiles / 2; j++) load_transposed(x[part][j], &s.x[part][(from + i) * 16 + (lane & 15)][16 * j + (lane >> 4) * 8]);
            multiply_all<Type>(sums, weights, x);
        }
        if (Scaled<Type>) move_sums(all, sums, back[0], back[1]);
    }
    /// What a row takes of x of two neighbouring rows, and of its own D further.
    METHOD F2 weights(const Stage<States>& s, F2 row, int own, int column, F2 pair, float D) {
        F4 since = *(const F4*)&s.since[column];
        F2 delta = *(const F2*)&s.delta[column], back = Scaled<Type> ? *(const F2*)&s.back[column] : F2{1, 1};
        return F2{weight(row, own, column, pair.x, since.x, since.y, delta.x, D * back.x), weight(row, own, column + 1, pair.y, since.z, since.w, delta.y, D * back.y)};
    }
    METHOD float weight(F2 row, int own, int column, float pair, float since, float rest, float delta, float D) {
        float w = pair * exp2_fast((row.x - since) + (row.y - rest)) * delta;
        return column > own ? 0.f : column == own ? w + D : w;
    }
};

template<class Type, int States> struct Outputs {
    static constexpr int SlicesAtOnce = Scaled<Type> ? 1 : Slices;  // registers have no room for the sums of all

    /// What outputs of sixteen rows of each chunk get of the state before it, and of rows of the chunk far from their own, a warp. It is left for the warp that makes
    /// the rest in the place of C, which no other reads.
    METHOD void carry(const SsdChunkArguments& t, ChunkRoom<States>& m, const Place& at) {
        int lane = THREAD % 32, tile = THREAD / 32;
        Within<Type, States> own{tile, 0, tile + 1 - Near};
        own.begin(t, at);
        if (Scaled<Type>) sync();
        own.ask(at.length);
        for (int chunk = 0; chunk < at.chunks; chunk++) {
            sync();     // it is prepared
            Stage<States>& s = m.stages[chunk & 1];
            float sums[Tiles][4] = {}, scaled[Tiles][4] = {};
            _Pragma("unroll SlicesAtOnce")
            for (int slice = 0; slice < Slices; slice++) {
                UNROLL
                for (int k0 = 0; k0 < States / Slices; k0 += 16) {
                    int k = slice * (States / Slices) + k0;
                    u32 c[2][4], h[2][Tiles / 2][4];
                    UNROLL
                    for (int part = 0; part < 2; part++) {
                        load_matrices(c[part], &s.parts[2 + part][tile * 16 + (lane & 15)][k + (lane >> 4) * 8]);
                        UNROLL
                        for (int j = 0; j < Tiles / 2; j++) load_matrices(h[part][j], &m.h[chunk & 1][part][16 * j + (lane & 7) + (lane >> 4) * 8][k + (lane >> 3 & 1) * 8]);
                    }
                    multiply_all<Type>(sums, c, h);
                }
                if (Scaled<Type>) move_sums(scaled, sums, m.hBack[chunk & 1][slice], 0.f);
            }
            float (*all)[4] = Scaled<Type> ? scaled : sums, upper = s.out[tile * 16 + lane / 4], lower = s.out[tile * 16 + lane / 4 + 8];
            UNROLL
            for (int j = 0; j < Tiles; j++)
                UNROLL
                for (int q = 0; q < 4; q++) all[j][q] *= q < 2 ? upper : lower;
            own.take(s, 0, sums, all);
            sync_warp();    // all lanes have read C
            UNROLL
            for (int j = 0; j < Tiles; j++) s.carried(tile)[32 * j + lane] = F4{all[j][0], all[j][1], all[j][2], all[j][3]};
            arrive_at(1 + tile, 64);
            own.ask(at.length - (chunk + 1) * Chunk);
        }
    }

    /// Outputs of sixteen rows of each chunk a warp: what they get of rows near them, and what was carried to them. Late rows have more of a chunk: a scheduler's
    /// other warps have early ones.
    METHOD void make(const SsdChunkArguments& t, ChunkRoom<States>& m, const Place& at) {
        const SsdArguments& a = t.scan;
        int lane = THREAD % 32, tile = 3 - (THREAD - Carriers) / 32, row = tile * 16 + lane / 4, p = lane % 4 * 2;
        float D = a.D[at.head];
        bool whole = a.wide && a.headDim - at.p0 >= Channels;
        float* y = row_of(a.y, at.start + row) + at.head * a.headDim + at.p0 + p;
        Within<Type, States> own{tile, tile + 1 - Near, tile + 1};
        own.begin(t, at);
        if (Scaled<Type>) sync();
        own.ask(at.length);
        for (int chunk = 0; chunk < at.chunks; chunk++) {
            int left = at.length - chunk * Chunk;
            sync();     // it is prepared
            Stage<States>& s = m.stages[chunk & 1];
            float sums[Tiles][4] = {}, scaled[Tiles][4] = {}, (*all)[4] = Scaled<Type> ? scaled : sums;
            own.take(s, D, sums, all);
            wait_at(1 + tile, 64);
            UNROLL
            for (int j = 0; j < Tiles; j++) {
                F4 c = s.carried(tile)[32 * j + lane];
                put(y + 8 * j, F2{all[j][0] + c.x, all[j][1] + c.y}, row < left, whole, a.headDim - at.p0 - 8 * j - p);
                put(y + 8 * j + 8 * (s64)a.y.stride, F2{all[j][2] + c.z, all[j][3] + c.w}, row + 8 < left, whole, a.headDim - at.p0 - 8 * j - p);
            }
            y += Chunk * (s64)a.y.stride;
            own.ask(left - Chunk);
        }
    }
    /// Two neighbouring outputs, of those of a head that are left.
    METHOD void put(float* to, F2 v, bool there, bool whole, int left) {
        if (!there) return;
        if (whole) *(F2*)to = v;
        else {
            if (left > 0) to[0] = v.x;
            if (left > 1) to[1] = v.y;
        }
    }
};
