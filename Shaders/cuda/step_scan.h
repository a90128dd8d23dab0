// One step of Mamba-1's scan with the projection of dt before it, and the norms of dt, B and C where a model has them. Half a warp a channel, a lane a state.
#pragma once
#include "formats.h"
#include "sizes.h"

struct StepScanArguments {
    Batch batch;
    Weights weights;        // [channels, rank]
    Matrix dt, u, b, c, z, y;
    const float *A, *D, *bias;
    s64 state;              // floats from the beginning of a slot
    float epsilon;          // of the norms
};

static constexpr int Lanes = 16, MostPieces = 2;

struct Eight { float v[8]; };

/// Columns 8 · piece to 8 · piece + 7 of a row.
template<class Format> struct Pieces {
    METHOD Eight load(const Weights& w, int row, int piece) {
        Group g = Format::load(w, row, piece >> 2);
        int own = piece & 3;
        bool upper = own & 2;
        int left = own & 1 ? (upper ? g.q[6] : g.q[2]) : (upper ? g.q[4] : g.q[0]), right = own & 1 ? (upper ? g.q[7] : g.q[3]) : (upper ? g.q[5] : g.q[1]);
        float scale = upper ? g.scale[1] : g.scale[0], offset = upper ? g.offset[1] : g.offset[0];
        Eight e;
        UNROLL
        for (int k = 0; k < 4; k++) {
            e.v[k] = scale * (float)(s8)(left >> 8 * k) + offset;
            e.v[k + 4] = scale * (float)(s8)(right >> 8 * k) + offset;
        }
        return e;
    }
};
template<> struct Pieces<F32> {
    METHOD Eight load(const Weights& w, int row, int piece) {
        const F4* p = (const F4*)(w.data + (u64)(u32)row * (u32)(SIZE(Rank) * 4)) + 2 * piece;
        F4 a = p[0], b = p[1];
        return Eight{{a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w}};
    }
};
template<> struct Pieces<F16> {
    METHOD Eight load(const Weights& w, int row, int piece) {
        U4 v = load_ahead(w.data + (u64)(u32)row * (u32)(SIZE(Rank) * 2) + 16 * piece);
        return Eight{{half_to_float(v.x), half_to_float(v.x >> 16), half_to_float(v.y), half_to_float(v.y >> 16),
            half_to_float(v.z), half_to_float(v.z >> 16), half_to_float(v.w), half_to_float(v.w >> 16)}};
    }
};
template<> struct Pieces<BF16> {
    METHOD Eight load(const Weights& w, int row, int piece) {
        U4 v = load_ahead(w.data + (u64)(u32)row * (u32)(SIZE(Rank) * 2) + 16 * piece);
        return Eight{{bfloat_to_float(v.x & 0xffff), bfloat_to_float(v.x >> 16), bfloat_to_float(v.y & 0xffff), bfloat_to_float(v.y >> 16),
            bfloat_to_float(v.z & 0xffff), bfloat_to_float(v.z >> 16), bfloat_to_float(v.w & 0xffff), bfloat_to_float(v.w >> 16)}};
    }
};

template<class Format> TEMPLATE_DEVICE void step_scan(const StepScanArguments& a) {
    start_dependents();
    int lane = THREAD % Lanes, channel = BLOCK_X * (SIZE(Warps) * 2) + THREAD / Lanes, sequence = SIZE(Sequences) == 1 ? 0 : BLOCK_Y;
    if (SIZE(Sequences) > 1 && sequence >= a.batch.counts[SequenceCount]) {
        wait_for_inputs();
        return;
    }
    bool there = channel < SIZE(Channels), own = there && lane < SIZE(States);
    if (!there) channel = SIZE(Channels) - 1;
    float* state = (float*)a.batch.slots[sequence] + a.state + (s64)channel * SIZE(States) + lane;
    float h = own ? *state : 0.f, A = own ? a.A[channel * SIZE(States) + lane] * Log2E : 0.f, D = a.D[channel], bias = a.bias[channel];
    Eight w[MostPieces];
    UNROLL
    for (int i = 0; i < MostPieces; i++)
        if (i * (8 * Lanes) < SIZE(Rank)) {
            int piece = lane + i * Lanes;
            w[i] = Pieces<Format>::load(a.weights, channel, piece * 8 < SIZE(Rank) ? piece : 0);
        }

    // dt, B and C once a block: all read the same few lines, which lie in as few parts of the second cache.
    SHARED F4 room[MostPieces * 2 * Lanes + Lanes / 2];
    float* row = (float*)room;
    int quad = THREAD, word = THREAD - SIZE(Rank) / 4;
    const float* words = word < SIZE(States) ? row_of(a.b, sequence) + word : row_of(a.c, sequence) + word - SIZE(States);
    const float *dt = row_of(a.dt, sequence), *us = row_of(a.u, sequence) + channel, *zs = row_of(a.z, sequence) + channel;
    float* y = row_of(a.y, sequence) + channel;

    wait_for_inputs();
    if (word < 0) *(F4*)(row + 4 * quad) = load_fresh4(dt + 4 * quad);
    else if (word < 2 * SIZE(States)) row[SIZE(Rank) + word] = load_fresh(words);
    float u = load_fresh(us), z = load_fresh(zs);
    sync();
    float B = lane < SIZE(States) ? row[SIZE(Rank) + lane] : 0.f, C = lane < SIZE(States) ? row[SIZE(Rank) + SIZE(States) + lane] : 0.f, product = 0, squares = 0;
    UNROLL
    for (int i = 0; i < MostPieces; i++) {
        if (i * (8 * Lanes) >= SIZE(Rank)) continue;
        int piece = lane + i * Lanes;
        bool mine = piece * 8 < SIZE(Rank);
        F4 p = *(const F4*)(row + (mine ? piece * 8 : 0)), q = *(const F4*)(row + (mine ? piece * 8 + 4 : 0));
        float sum = w[i].v[0] * p.x + w[i].v[1] * p.y + w[i].v[2] * p.z + w[i].v[3] * p.w + (w[i].v[4] * q.x + w[i].v[5] * q.y + w[i].v[6] * q.z + w[i].v[7] * q.w);
        product += mine ? sum : 0.f;
        if (SIZE(Normed)) squares += mine ? p.x * p.x + p.y * p.y + p.z * p.z + p.w * p.w + (q.x * q.x + q.y * q.y + q.z * q.z + q.w * q.w) : 0.f;
    }
    product = half_warp_sum(product);
    if (SIZE(Normed)) {
        product *= root_reciprocal(half_warp_sum(squares) * (1.f / (float)SIZE(Rank)) + a.epsilon);
        B *= root_reciprocal(half_warp_sum(B * B) * (1.f / (float)SIZE(States)) + a.epsilon);
        C *= root_reciprocal(half_warp_sum(C * C) * (1.f / (float)SIZE(States)) + a.epsilon);
    }
    float step = quick_softplus(product + bias), skip = D * u, gate = quick_silu(z);
    h = h * exp2_fast(step * A) + step * u * B;
    float sum = half_warp_sum(h * C);
    store_if(there && lane == 0, y, (sum + skip) * gate);
    store_if(own, state, h);
}
