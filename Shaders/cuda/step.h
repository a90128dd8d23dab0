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
    float scale;                // of the product and the bias
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
template<class Kind> TEMPLATE_DEVICE int padded() { return SIZE(Split) * SIZE(Steps) * Kind::step_columns(); }
DEVICE int step_threads() { return SIZE(Warps) * 32; }
/// Rows of weights of a block.
template<class Kind> TEMPLATE_DEVICE int rows_of_block() { return SIZE(Units) * SIZE(Abreast) * Kind::tile_rows(); }

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
/// What the products of a row are multiplied by: the norm's factor, and back from what Kind multiplied x by.
template<class Kind> TEMPLATE_DEVICE float scale_of(const StepArguments& a, float squares, float largest) {
    return Kind::unscale(largest) * (SIZE(Input) == Plain ? 1.f : root_reciprocal(squares * (1.f / (float)SIZE(Columns)) + a.epsilon));
}

/// The columns of a row that a warp brings at a time, where there are several rows.
static constexpr int PieceFours = 8, PieceColumns = PieceFours * 128;

struct Piece {
    F4 v[PieceFours];

    METHOD int column(int first, int i) { return first + ((THREAD & 31) + 32 * i) * 4; }
    /// Brings the columns from `first` on, weighted as the norm has it. Returns the lane's sum of squares before that, and its largest value after it.
    MEMBER F2 load(const StepArguments& a, int row, int first) {
        const float *x = row_of(a.x, row), *z = row_of(a.z, row);
        F2 own{0, 0};
        UNROLL
        for (int i = 0; i < PieceFours; i++) {
            int c = column(first, i);
            v[i] = c < SIZE(Columns) ? load_fresh4(x + c) : F4{0, 0, 0, 0};
            if (SIZE(Input) == Gated && c < SIZE(Columns)) v[i] = gated(v[i], load_fresh4(z + c));
        }
        UNROLL
        for (int i = 0; i < PieceFours; i++) own.x += squares(v[i]);
        UNROLL
        for (int i = 0; i < PieceFours; i++) {
            int c = column(first, i);
            if (SIZE(Input) != Plain && c < SIZE(Columns)) v[i] = times(v[i], *(const F4*)(a.norm + c));
            own.y = max_of(own.y, largest(v[i]));
        }
        return own;
    }
    template<class Kind> MEMBER void put(char* row, int first, float power) const {
        UNROLL
        for (int i = 0; i < PieceFours; i++) {
            int c = column(first, i);
            Kind::put(row, c, times(v[i], power), c < padded<Kind>());
        }
    }
};
DEVICE F2 warp_total(F2 own) { return F2{SIZE(Input) == Plain ? 0.f : warp_sum(own.x), warp_largest(own.y)}; }

/// Brings rows of x to shared memory as Kind multiplies them, a warp a row.
template<class Kind> TEMPLATE_DEVICE void stage_rows(const StepArguments& a, int count, char* values, float* scales) {
    for (int q = THREAD / 32; q < count; q += SIZE(Warps)) {
        int row = source_row(a, q);
        Piece piece;
        F2 own{0, 0};
        for (int c0 = 0; c0 < SIZE(Columns); c0 += PieceColumns) {
            F2 more = piece.load(a, row, c0);
            own = F2{own.x + more.x, max_of(own.y, more.y)};
        }
        F2 total = warp_total(own);
        if ((THREAD & 31) == 0) scales[q] = scale_of<Kind>(a, total.x, total.y);
        for (int c0 = 0; c0 < padded<Kind>(); c0 += PieceColumns) {
            if (padded<Kind>() > PieceColumns) piece.load(a, row, c0);
            piece.put<Kind>(values + q * Kind::row_bytes(), c0, Kind::scale(total.y));
        }
    }
}

/// The same for so few rows that each warp has one piece of one at most, which it keeps until the others' largest values are known.
template<class Kind> TEMPLATE_DEVICE void stage_pieces(const StepArguments& a, int count, int pieces, char* values, F2* partials, float* scales) {
    int warp = THREAD / 32, q = warp / pieces, first = (warp - q * pieces) * PieceColumns;
    Piece piece;
    if (q < count) {
        F2 own = warp_total(piece.load(a, source_row(a, q), first));
        if ((THREAD & 31) == 0) partials[warp] = own;
    }
    sync();
    if (q >= count) return;
    F2 total{0, 0};
    for (int p = 0; p < pieces; p++) total = F2{total.x + partials[q * pieces + p].x, max_of(total.y, partials[q * pieces + p].y)};
    if (first == 0 && (THREAD & 31) == 0) scales[q] = scale_of<Kind>(a, total.x, total.y);
    piece.put<Kind>(values + q * Kind::row_bytes(), first, Kind::scale(total.y));
}

/// Whether a warp has all rows of its block by columns of its own. Then it brings x there by itself, and nobody waits for others.
template<class Kind> TEMPLATE_DEVICE bool by_pieces() {
    return Kind::NeedsLargest && SIZE(Sequences) == 1 && SIZE(Abreast) == 1 && SIZE(Steps) * Kind::step_columns() <= MostVectors * 128;
}
/// Whether a warp's steps are so few, and each serves so many rows, that their part of x stays in registers.
template<class Kind> TEMPLATE_DEVICE bool holds() { return SIZE(Spans) == 1 && SIZE(Units) > 1 && SIZE(Steps) <= Kind::MostHeld; }
/// The columns that a thread brings: how many fours, and where one begins; beyond the padded ones where there is none.
template<class Kind> TEMPLATE_DEVICE bool has_vector(int i) {
    return by_pieces<Kind>() ? i * 128 < SIZE(Steps) * Kind::step_columns() : i * step_threads() * 4 < SIZE(Columns);
}
template<class Kind> TEMPLATE_DEVICE int vector_column(int i) {
    if (!by_pieces<Kind>()) return (THREAD + i * step_threads()) * 4;
    int own = ((THREAD & 31) + i * 32) * 4, width = SIZE(Steps) * Kind::step_columns();
    return own < width ? THREAD / 32 * width + own : padded<Kind>();
}

/// Brings one row of x to shared memory. Returns the sum of squares that this warp has, and the largest value that it multiplies.
template<class Kind> TEMPLATE_DEVICE F2 stage(const StepArguments& a, const F4* weights, char* values, F2* partials) {
    int row = source_row(a, 0);
    const float *x = row_of(a.x, row), *z = row_of(a.z, row);
    F4 v[MostVectors];
    UNROLL
    for (int i = 0; i < MostVectors; i++) {
        if (!has_vector<Kind>(i)) continue;
        int c = vector_column<Kind>(i);
        v[i] = c < SIZE(Columns) ? load_fresh4(x + c) : F4{0, 0, 0, 0};
        if (SIZE(Input) == Gated && c < SIZE(Columns)) v[i] = gated(v[i], load_fresh4(z + c));
    }
    F2 own{0, 0};
    UNROLL
    for (int i = 0; i < MostVectors; i++) {
        if (!has_vector<Kind>(i)) continue;
        if (SIZE(Input) != Plain) {
            own.x += squares(v[i]);
            v[i] = times(v[i], weights[i]);
        }
        if (Kind::NeedsLargest) own.y = max_of(own.y, largest(v[i]));
    }
    if (Kind::NeedsLargest) own.y = warp_largest(own.y);
    if (!by_pieces<Kind>()) {
        if (SIZE(Input) != Plain) own.x = warp_sum(own.x);
        if ((THREAD & 31) == 0) partials[THREAD / 32] = own;
        if (Kind::NeedsLargest) {
            sync();
            own.y = total_of(partials).y;
        }
    }
    float power = Kind::NeedsLargest ? Kind::scale(own.y) : 1.f;
    UNROLL
    for (int i = 0; i < MostVectors; i++) {
        if (!has_vector<Kind>(i)) continue;
        int c = vector_column<Kind>(i);
        Kind::put(values, c, times(v[i], power), by_pieces<Kind>() ? c < padded<Kind>() : c < SIZE(Columns));
    }
    if (by_pieces<Kind>()) {
        sync_warp();
        if (SIZE(Input) != Plain) own.x = warp_sum(own.x);
        return own;
    }
    if (padded<Kind>() > SIZE(Columns))
        for (int c = SIZE(Columns) + THREAD * 4; c < padded<Kind>(); c += step_threads() * 4) Kind::clear(values, c);
    sync();
    return own;
}

/// What the convolution of an output needs beside it.
struct ConvInputs {
    float taps[MostTaps], window[MostTaps], bias;
    float* at;
};

DEVICE void load_conv(const StepArguments& a, int sequence, int row, ConvInputs& c) {
    int channel = row - SIZE(ConvFirst);
    bool there = channel >= 0 && channel < SIZE(ConvCount);
    c.at = (float*)a.batch.slots[sequence] + a.window + (s64)(there ? channel : 0) * (SIZE(Taps) - 1);
    UNROLL
    for (int k = 0; k < MostTaps; k++) {
        c.taps[k] = k < SIZE(Taps) && there ? a.taps[channel * SIZE(Taps) + k] : 0.f;
        c.window[k] = k < SIZE(Taps) - 1 && there ? c.at[k] : 0.f;
    }
    c.bias = a.tapBias && there ? a.tapBias[channel] : 0.f;
}
/// The convolution of one row; its window moves on.
DEVICE void convolve(const StepArguments& a, int sequence, int channel, const ConvInputs& c, float x) {
    float sum = c.bias, last = 0;
    UNROLL
    for (int k = 0; k < MostTaps; k++) {
        if (k < SIZE(Taps) - 1) sum += c.taps[k] * c.window[k];
        if (k == SIZE(Taps) - 1) last = c.taps[k];
    }
    row_of(a.u, sequence)[channel] = quick_silu(sum + last * x);
    UNROLL
    for (int k = 1; k < MostTaps - 1; k++)
        if (k < SIZE(Taps) - 1) c.at[k - 1] = c.window[k];
    if (SIZE(Taps) > 1) c.at[SIZE(Taps) - 2] = x;
}

/// Adds up the pieces of each row and writes the outputs. What a thread's first output needs beside its sums is there.
template<class Kind> TEMPLATE_DEVICE void finish(const StepArguments& a, const float* sums, const F2* partials, const float* scales, int count, ConvInputs& conv, float residual) {
    int rows = rows_of_block<Kind>();
    for (int i = THREAD; i < rows * count; i += step_threads()) {
        int sequence = SIZE(Sequences) == 1 ? 0 : i / rows, r = i - sequence * rows, row = BLOCK_X * rows + r;
        if (row >= SIZE(Outputs)) continue;
        int inTile = r & Kind::tile_rows() - 1;
        const float* own = sums + (r - inTile) * (SIZE(Split) * SIZE(Sequences)) + sequence * Kind::tile_rows() + inTile;
        float sum = 0;
        UNROLL
        for (int p = 0; p < MostSplit; p++)
            if (p < SIZE(Split)) sum += own[p * SIZE(Sequences) * Kind::tile_rows()];
        if (by_pieces<Kind>()) {
            if (SIZE(Input) != Plain) sum *= root_reciprocal(total_of(partials).x * (1.f / (float)SIZE(Columns)) + a.epsilon);
        } else if (Kind::NeedsLargest || SIZE(Input) != Plain) sum *= scales[sequence];
        if (a.bias) sum += a.bias[row];
        sum *= a.scale;
        int channel = row - SIZE(ConvFirst);
        if (SIZE(Taps) > 0 && channel >= 0 && channel < SIZE(ConvCount)) {
            if (i != THREAD) load_conv(a, sequence, row, conv);
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
            int c = vector_column<Kind>(i);
            weights[i] = has_vector<Kind>(i) && c < SIZE(Columns) ? *(const F4*)(a.norm + c) : F4{1, 1, 1, 1};
        }
    int count = SIZE(Sequences) == 1 ? 1 : a.batch.counts[SIZE(Selected) ? OutputRows : SequenceCount];
    int rows = rows_of_block<Kind>(), sequence = SIZE(Sequences) == 1 ? 0 : THREAD / rows, row = BLOCK_X * rows + THREAD - sequence * rows;
    bool own = THREAD < rows * count && row < SIZE(Outputs);
    ConvInputs conv;
    if (SIZE(Taps) > 0 && own) load_conv(a, sequence, row, conv);

    wait_for_inputs();
    float residual = a.addTo.data && own ? load_fresh(row_of(a.addTo, sequence) + row) : 0.f;
    F2 total{0, 0};
    if (SIZE(Sequences) == 1) total = stage<Kind>(a, weights, values, partials);
    else if constexpr (Kind::TakesSeveral) {
        int pieces = (padded<Kind>() + PieceColumns - 1) / PieceColumns;
        if (pieces > 1 && count * pieces <= SIZE(Warps)) stage_pieces<Kind>(a, count, pieces, values, partials, scales);
        else stage_rows<Kind>(a, count, values, scales);
        sync();
    }
    if (SIZE(Sequences) == 1 && !by_pieces<Kind>() && THREAD == 0 && (Kind::NeedsLargest || SIZE(Input) != Plain)) {
        F2 all = total_of(partials);
        scales[0] = scale_of<Kind>(a, all.x, all.y);
    }

    float back = by_pieces<Kind>() ? Kind::unscale(total.y) : 1.f;
    typename Kind::Held held;
    if (SIZE(Sequences) == 1 && holds<Kind>()) held.load(values, piece * SIZE(Steps));
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
            if (SIZE(Sequences) == 1 && holds<Kind>()) parts.add(slots[s], s, held, at);
            else parts.add(slots[s], s, values, step);
            if (SIZE(Rounds) > 1 && next < SIZE(Units)) slots[s] = Kind::fetch(a.weights, firstTile + next * SIZE(Abreast), nextStep);
            if (++at == SIZE(Steps) || (SIZE(Spans) > 1 && at == SIZE(Depth))) {
                if (now < SIZE(Units) && (SIZE(Spans) == 1 || span + 1 == SIZE(Spans))) parts.leave(sums, (track + now * SIZE(Abreast)) * SIZE(Split) + piece, count, back);
                at = 0;
                unit++;
            }
        }
        if (SIZE(Spans) > 1 && ++span == SIZE(Spans)) {
            span = 0;
            done++;
        }
    }
    if (by_pieces<Kind>() && SIZE(Input) != Plain && (THREAD & 31) == 0) partials[warp] = total;
    sync();
    finish<Kind>(a, sums, partials, scales, count, conv, residual);
}
