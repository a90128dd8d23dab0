// One step of decoding: (norm or gated norm of x, then) a product with weights, then (bias, residual) or (a convolution of some of the outputs), for one row
// of each sequence. A block makes some rows of the weights; its warps share them out by pieces of columns. Weights are asked for before the wait.
#pragma once
#include "formats.h"
#include "sizes.h"

struct StepArguments {
    Batch batch;
    Weights weights;
    Matrix x, z;                // z: the gate of a gated norm
    const float* norm;          // weights of the norm, or null
    Matrix addTo;               // or null data
    Matrix y;
    const float* bias;          // or null
    Matrix u;                   // outputs of the convolution
    const float *taps, *tapBias;
    s64 window;                 // floats from the beginning of a slot
    int* notFinite;             // set to 1 where an output is not, or null
    float epsilon;
};
enum StepInput { Plain, Normed, Gated };
/// Rows of tokens; of outputs; or of outputs, whose inputs are chosen from the rows of tokens.
enum StepRows { OfTokens, OfOutputs, Chosen };

static constexpr int MostWarps = 16, MostSplit = 16, MostTaps = 4, MostVectors = 5;

/// Columns with those that fill up the last step.
template<class Kind> TEMPLATE_DEVICE int padded() { return SIZE(Split) * SIZE(Steps) * Kind::StepColumns; }
DEVICE int step_threads() { return SIZE(Warps) * 32; }
/// Rows of weights of a block.
template<class Kind> TEMPLATE_DEVICE int rows_of_block() { return SIZE(Units) * SIZE(Abreast) * Kind::TileRows; }

/// Of what the warps left of a row of x: the sum of squares, and the largest weighted value.
DEVICE F2 total_of(const F2* partials) {
    F2 total{0, 0};
    UNROLL
    for (int i = 0; i < MostWarps; i++)
        if (i < SIZE(Warps)) {
            F2 p = partials[i];
            total.x += p.x;
            total.y = max_of(total.y, p.y);
        }
    return total;
}

DEVICE int source_row(const StepArguments& a, int output) { return SIZE(Selected) == Chosen ? a.batch.outputRows[output] : output; }
DEVICE F4 gated(F4 x, F4 z) { return F4{x.x * quick_silu(z.x), x.y * quick_silu(z.y), x.z * quick_silu(z.z), x.w * quick_silu(z.w)}; }
DEVICE F4 times(F4 x, F4 y) { return F4{x.x * y.x, x.y * y.y, x.z * y.z, x.w * y.w}; }
DEVICE F4 times(F4 x, float y) { return F4{x.x * y, x.y * y, x.z * y, x.w * y}; }
DEVICE float squares(F4 x) { return x.x * x.x + x.y * x.y + (x.z * x.z + x.w * x.w); }
DEVICE float largest(F4 x) { return max_of(max_of(__builtin_fabsf(x.x), __builtin_fabsf(x.y)), max_of(__builtin_fabsf(x.z), __builtin_fabsf(x.w))); }
DEVICE float warp_largest(float v) {
    v = max_of(v, exchange(v, 16)); v = max_of(v, exchange(v, 8)); v = max_of(v, exchange(v, 4)); v = max_of(v, exchange(v, 2));
    return max_of(v, exchange(v, 1));
}
/// What the products of a row are multiplied by: the norm's factor, and back from what Kind multiplied x by.
template<class Kind> TEMPLATE_DEVICE float scale_of(const StepArguments& a, float squares, float largest) {
    return Kind::unscale(largest) * (SIZE(Input) == Plain ? 1.f : root_reciprocal(squares * (1.f / (float)SIZE(Columns)) + a.epsilon));
}

/// Brings rows of x to shared memory as Kind multiplies them, a warp a row.
template<class Kind> TEMPLATE_DEVICE void stage_rows(const StepArguments& a, int count, char* values, float* scales) {
    constexpr int Ahead = 8, Columns = Ahead * 128;
    for (int q = THREAD / 32; q < count; q += SIZE(Warps)) {
        int row = source_row(a, q), lane = THREAD & 31;
        const float *x = row_of(a.x, row), *z = row_of(a.z, row);
        F4 v[Ahead];
        float sum = 0, most = 0;
        auto load = [&](int c0) {
            UNROLL
            for (int i = 0; i < Ahead; i++) {
                int c = c0 + (lane + 32 * i) * 4;
                v[i] = c < SIZE(Columns) ? load_fresh4(x + c) : F4{0, 0, 0, 0};
                if (SIZE(Input) == Gated && c < SIZE(Columns)) v[i] = gated(v[i], load_fresh4(z + c));
            }
        };
        auto weigh = [&](int c0) {
            UNROLL
            for (int i = 0; i < Ahead; i++) {
                int c = c0 + (lane + 32 * i) * 4;
                if (SIZE(Input) != Plain && c < SIZE(Columns)) v[i] = times(v[i], *(const F4*)(a.norm + c));
            }
        };
        for (int c0 = 0; c0 < SIZE(Columns); c0 += Columns) {
            load(c0);
            UNROLL
            for (int i = 0; i < Ahead; i++) sum += squares(v[i]);
            weigh(c0);
            UNROLL
            for (int i = 0; i < Ahead; i++) most = max_of(most, largest(v[i]));
        }
        if (SIZE(Input) != Plain) sum = warp_sum(sum);
        most = warp_largest(most);
        if (lane == 0) scales[q] = scale_of<Kind>(a, sum, most);
        float power = Kind::scale(most);
        for (int c0 = 0; c0 < padded<Kind>(); c0 += Columns) {
            if (padded<Kind>() > Columns) {
                load(c0);
                weigh(c0);
            }
            UNROLL
            for (int i = 0; i < Ahead; i++) {
                int c = c0 + (lane + 32 * i) * 4;
                Kind::put(values + q * Kind::row_bytes(), c, times(v[i], power), c < padded<Kind>());
            }
        }
    }
}

/// Brings one row of x to shared memory, all threads together.
template<class Kind> TEMPLATE_DEVICE void stage(const StepArguments& a, const F4* weights, char* values, F2* partials) {
    int row = source_row(a, 0);
    const float *x = row_of(a.x, row), *z = row_of(a.z, row);
    F4 v[MostVectors];
    UNROLL
    for (int i = 0; i < MostVectors; i++) {
        if (i * step_threads() * 4 >= SIZE(Columns)) continue;
        int c = (THREAD + i * step_threads()) * 4;
        v[i] = c < SIZE(Columns) ? load_fresh4(x + c) : F4{0, 0, 0, 0};
        if (SIZE(Input) == Gated && c < SIZE(Columns)) v[i] = gated(v[i], load_fresh4(z + c));
    }
    F2 own{0, 0};
    UNROLL
    for (int i = 0; i < MostVectors; i++) {
        if (i * step_threads() * 4 >= SIZE(Columns)) continue;
        if (SIZE(Input) != Plain) {
            own.x += squares(v[i]);
            v[i] = times(v[i], weights[i]);
        }
        if (Kind::NeedsLargest) own.y = max_of(own.y, largest(v[i]));
    }
    if (SIZE(Input) != Plain) own.x = warp_sum(own.x);
    if (Kind::NeedsLargest) own.y = warp_largest(own.y);
    if ((THREAD & 31) == 0) partials[THREAD / 32] = own;
    if (Kind::NeedsLargest) sync();
    float power = Kind::NeedsLargest ? Kind::scale(total_of(partials).y) : 1.f;
    UNROLL
    for (int i = 0; i < MostVectors; i++) {
        if (i * step_threads() * 4 >= SIZE(Columns)) continue;
        int c = (THREAD + i * step_threads()) * 4;
        Kind::put(values, c, times(v[i], power), c < SIZE(Columns));
    }
    if (padded<Kind>() > SIZE(Columns))
        for (int c = SIZE(Columns) + THREAD * 4; c < padded<Kind>(); c += step_threads() * 4) Kind::clear(values, c);
}

/// What the convolution of an output needs beside it.
struct ConvInputs { float taps[MostTaps], window[MostTaps], bias; };

DEVICE float* window_of(const StepArguments& a, int sequence, int channel) {
    return (float*)a.batch.slots[sequence] + a.window + (s64)channel * (SIZE(Taps) - 1);
}
DEVICE void load_conv(const StepArguments& a, int sequence, int row, ConvInputs& c) {
    int channel = row - SIZE(ConvFirst);
    bool there = channel >= 0 && channel < SIZE(ConvCount);
    const float* window = window_of(a, sequence, there ? channel : 0);
    UNROLL
    for (int k = 0; k < MostTaps; k++) {
        c.taps[k] = k < SIZE(Taps) && there ? a.taps[channel * SIZE(Taps) + k] : 0.f;
        c.window[k] = k < SIZE(Taps) - 1 && there ? window[k] : 0.f;
    }
    c.bias = a.tapBias && there ? a.tapBias[channel] : 0.f;
}
/// The convolution of one row; its window moves on.
DEVICE void convolve(const StepArguments& a, int sequence, int channel, const ConvInputs& c, float x) {
    float* window = window_of(a, sequence, channel);
    float sum = c.bias, last = 0;
    UNROLL
    for (int k = 0; k < MostTaps; k++) {
        if (k < SIZE(Taps) - 1) sum += c.taps[k] * c.window[k];
        if (k > 0 && k < SIZE(Taps) - 1) window[k - 1] = c.window[k];
        if (k == SIZE(Taps) - 1) last = c.taps[k];
    }
    if (SIZE(Taps) > 1) window[SIZE(Taps) - 2] = x;
    row_of(a.u, sequence)[channel] = quick_silu(sum + last * x);
}

/// Adds up the pieces of each row and writes the outputs.
template<class Kind> TEMPLATE_DEVICE void finish(const StepArguments& a, const float* sums, const float* scales, int count, const ConvInputs& conv, float residual) {
    int rows = rows_of_block<Kind>();
    for (int i = THREAD; i < rows * count; i += step_threads()) {
        int sequence = SIZE(Sequences) == 1 ? 0 : i / rows, r = i - sequence * rows, row = BLOCK_X * rows + r;
        if (row >= SIZE(Outputs)) continue;
        const float* own = sums + (r / Kind::TileRows * SIZE(Split) * SIZE(Sequences) + sequence) * Kind::TileRows + r % Kind::TileRows;
        float sum = 0;
        UNROLL
        for (int p = 0; p < MostSplit; p++)
            if (p < SIZE(Split)) sum += own[p * SIZE(Sequences) * Kind::TileRows];
        if (Kind::NeedsLargest || SIZE(Input) != Plain) sum *= scales[sequence];
        if (a.bias) sum += a.bias[row];
        int channel = row - SIZE(ConvFirst);
        if (SIZE(Taps) > 0 && channel >= 0 && channel < SIZE(ConvCount)) {   // then a thread has one output
            convolve(a, sequence, channel, conv, sum);
            continue;
        }
        if (a.addTo.data) sum += i == THREAD ? residual : load_fresh(row_of(a.addTo, sequence) + row);
        row_of(a.y, sequence)[row] = sum;
        if (a.notFinite && !(__builtin_fabsf(sum) <= 3.40282347e38f)) *a.notFinite = 1;
    }
}

template<class Kind> TEMPLATE_DEVICE void step(const StepArguments& a) {
    DYNAMIC_SHARED(memory);
    char* values = memory;
    float* sums = (float*)(memory + SIZE(Sequences) * Kind::row_bytes());
    F2* partials = (F2*)(sums + rows_of_block<Kind>() * SIZE(Split) * SIZE(Sequences));
    float* scales = (float*)(partials + SIZE(Warps));
    start_dependents();
    int warp = THREAD / 32, track = divide(warp, SIZE(SplitInverse)), piece = warp - track * SIZE(Split), firstTile = BLOCK_X * (SIZE(Units) * SIZE(Abreast)) + track;

    typename Kind::Slot slots[Kind::MostDepth];
    int unit = 0, at = 0;
    UNROLL
    for (int s = 0; s < Kind::MostDepth; s++)
        if (s < SIZE(Depth)) {
            if (unit < SIZE(Units)) slots[s] = Kind::fetch(a.weights, firstTile + unit * SIZE(Abreast), piece * SIZE(Steps) + at);
            if (++at == SIZE(Steps)) { at = 0; unit++; }
        }
    F4 weights[MostVectors];
    if (SIZE(Input) != Plain)
        UNROLL
        for (int i = 0; i < MostVectors; i++) {
            int c = (THREAD + i * step_threads()) * 4;
            weights[i] = i * step_threads() * 4 < SIZE(Columns) && c < SIZE(Columns) ? *(const F4*)(a.norm + c) : F4{1, 1, 1, 1};
        }
    int count = SIZE(Sequences) == 1 ? 1 : a.batch.counts[SIZE(Selected) ? OutputRows : SequenceCount];
    int rows = rows_of_block<Kind>(), sequence = SIZE(Sequences) == 1 ? 0 : THREAD / rows, row = BLOCK_X * rows + THREAD - sequence * rows;
    bool own = THREAD < rows * count && row < SIZE(Outputs);
    ConvInputs conv;
    if (SIZE(Taps) > 0 && own) load_conv(a, sequence, row, conv);

    wait_for_inputs();
    float residual = a.addTo.data && own ? load_fresh(row_of(a.addTo, sequence) + row) : 0.f;
    if (SIZE(Sequences) == 1) stage<Kind>(a, weights, values, partials);
    else if constexpr (Kind::TakesSeveral) stage_rows<Kind>(a, count, values, scales);
    sync();
    if (SIZE(Sequences) == 1 && THREAD == 0 && (Kind::NeedsLargest || SIZE(Input) != Plain)) {
        F2 total = total_of(partials);
        scales[0] = scale_of<Kind>(a, total.x, total.y);
    }

    typename Kind::Sums parts;
    int span = 0, done = 0;   // of the unit that a round is part of, where one takes several rounds
    for (int round = 0; round < SIZE(Rounds); round++) {
        unit = 0;
        at = 0;
        UNROLL
        for (int s = 0; s < Kind::MostDepth; s++) {
            if (s >= SIZE(Depth)) continue;
            if (at == 0 && (SIZE(Spans) == 1 || span == 0)) parts.clear();
            int now = SIZE(Spans) == 1 ? round * SIZE(PerRound) + unit : done, next = SIZE(Spans) == 1 ? now + SIZE(PerRound) : span + 1 < SIZE(Spans) ? done : done + 1;
            int step = piece * SIZE(Steps) + at + span * SIZE(Depth), nextStep = SIZE(Spans) == 1 ? step : piece * SIZE(Steps) + at + (span + 1 < SIZE(Spans) ? span + 1 : 0) * SIZE(Depth);
            parts.add(slots[s], s, values, step);
            if (SIZE(Rounds) > 1 && next < SIZE(Units)) slots[s] = Kind::fetch(a.weights, firstTile + next * SIZE(Abreast), nextStep);
            if (++at == SIZE(Steps) || (SIZE(Spans) > 1 && at == SIZE(Depth))) {
                if (now < SIZE(Units) && (SIZE(Spans) == 1 || span + 1 == SIZE(Spans))) parts.leave(sums, (track + now * SIZE(Abreast)) * SIZE(Split) + piece, count);
                at = 0;
                unit++;
            }
        }
        if (SIZE(Spans) > 1 && ++span == SIZE(Spans)) {
            span = 0;
            done++;
        }
    }
    sync();
    finish<Kind>(a, sums, scales, count, conv, residual);
}
