// CausalConv: depthwise, then SiLU. A thread a channel. The window is [channels, taps − 1] of a slot, as in the canonical state.
#include "halves.h"
#include "sizes.h"

struct ConvArguments {
    Batch batch;
    Matrix x, y;
    const float* weight;    // [channels, taps]
    const float* bias;      // or null
    s64 window;             // floats from the beginning of a slot
    int taps;
    Rounding half;          // of y, where there are many rows
};

/// Rows of a block, and those that a thread has at a time; taps of what most models have.
static constexpr int RowsOfBlock = 16, RowsAtOnce = 4, Taps = 4;

/// The input `back` rows before row t of a sequence: from the window where that is before its first row.
DEVICE float input(const ConvArguments& a, const float* window, int channel, int start, int t, int back) {
    int row = t - back, past = a.taps - 1;
    return row >= start ? row_of(a.x, row)[channel] : window[row - start + past];
}
DEVICE float convolved(const ConvArguments& a, const float* window, int channel, int start, int t) {
    const float* weight = a.weight + (s64)channel * a.taps;
    float sum = a.bias ? a.bias[channel] : 0.f;
    for (int k = 0; k < a.taps; k++) sum += weight[k] * input(a, window, channel, start, t, a.taps - 1 - k);
    return quick_silu(sum);
}
DEVICE float* window_of(const ConvArguments& a, int sequence, int channel) {
    return (float*)a.batch.slots[sequence] + a.window + (s64)channel * (a.taps - 1);
}
/// Moves the window past a sequence's rows; an element is read before it is overwritten, as it moves down.
DEVICE void advance(const ConvArguments& a, float* window, int channel, int start, int length) {
    for (int j = 0; j < a.taps - 1; j++) window[j] = input(a, window, channel, start, start + length - 1, a.taps - 2 - j);
}

/// Sequences of one row each: output and window at once.
KERNEL(conv_step, ConvArguments, 128) {
    int channel = BLOCK_X * THREADS + THREAD, sequence = BLOCK_Y;
    if (sequence >= a.batch.counts[SequenceCount] || channel >= a.x.width) return;
    float* window = window_of(a, sequence, channel);
    int start = a.batch.starts[sequence];
    deliver(a.y, a.half, start, channel, convolved(a, window, channel, start, start));
    advance(a, window, channel, start, 1);
}

/// The same for four taps, four channels a thread, by accesses of sixteen bytes. The window is asked for before the wait.
EARLY_KERNEL(conv_step_4, ConvArguments, 128) {
    start_dependents();
    int channel = (BLOCK_X * THREADS + THREAD) * 4, sequence = BLOCK_Y;
    if (sequence >= a.batch.counts[SequenceCount] || channel >= a.x.width) {
        wait_for_inputs();
        return;
    }
    F4* window = (F4*)window_of(a, sequence, channel);
    const F4* taps = (const F4*)a.weight + channel;
    F4 w0 = window[0], w1 = window[1], w2 = window[2], t0 = taps[0], t1 = taps[1], t2 = taps[2], t3 = taps[3];
    F4 bias = a.bias ? F4{a.bias[channel], a.bias[channel + 1], a.bias[channel + 2], a.bias[channel + 3]} : F4{0, 0, 0, 0};
    int row = a.batch.starts[sequence];
    wait_for_inputs();
    F4 x = *(const F4*)(row_of(a.x, row) + channel);
    window[0] = F4{w0.y, w0.z, x.x, w1.x};
    window[1] = F4{w1.y, x.y, w1.w, w2.x};
    window[2] = F4{x.z, w2.z, w2.w, x.w};
    deliver_four(a.y, a.half, row, channel, F4{
        quick_silu(bias.x + t0.x * w0.x + t0.y * w0.y + t0.z * w0.z + t0.w * x.x), quick_silu(bias.y + t1.x * w0.w + t1.y * w1.x + t1.z * w1.y + t1.w * x.y),
        quick_silu(bias.z + t2.x * w1.z + t2.y * w1.w + t2.z * w2.x + t2.w * x.z), quick_silu(bias.w + t3.x * w2.y + t3.y * w2.z + t3.z * w2.w + t3.w * x.w)}, true);
}

/// The rows of a block in which a sequence ends, one after the other.
template<int V> TEMPLATE_DEVICE void conv_sequences(const ConvArguments& a, int channel, int first, int last) {
    for (int t = first; t < last;) {
        int sequence = a.batch.sequenceOf[t], start = a.batch.starts[sequence], length = a.batch.lengths[sequence], end = start + length;
        int head = start + Taps - 1 < end ? start + Taps - 1 : end, stop = end < last ? end : last;
        if (start >= first && stop < head) stop = head;
        if (start < first && t < head) t = head;
        for (; t < stop; t++) {
            float y[V];
            UNROLL
            for (int v = 0; v < V; v++) y[v] = convolved(a, window_of(a, sequence, channel + v), channel + v, start, t);
            if constexpr (V == 4) deliver_four(a.y, a.half, t, channel, F4{y[0], y[1], y[2], y[3]}, true);
            else deliver(a.y, a.half, t, channel, y[0]);
        }
        if (start >= first)
            for (int v = 0; v < V; v++) advance(a, window_of(a, sequence, channel + v), channel + v, start, length);
    }
}

/// Four taps, any rows, V channels a thread, whole warps of them where they are rounded to 8 bits. Whoever has a sequence's first row has those that read its window,
/// also where they are beyond the block's, and moves that on: nobody else reads it.
template<int V> TEMPLATE_DEVICE void conv_tile(const ConvArguments& a) {
    struct alignas(4 * V) Values { float v[V]; };
    constexpr int Past = Taps - 1;
    int channel = (BLOCK_X * THREADS + THREAD) * V;
    if (channel >= a.x.width) {
        wait_for_inputs();
        return;
    }
    F4 w[V];
    float bias[V];
    UNROLL
    for (int v = 0; v < V; v++) {
        bias[v] = a.bias ? a.bias[channel + v] : 0.f;
        w[v] = ((const F4*)a.weight)[channel + v];
    }
    wait_for_inputs();
    int rows = a.batch.counts[TokenRows], first = BLOCK_Y * RowsOfBlock, last = first + RowsOfBlock < rows ? first + RowsOfBlock : rows;
    if (first >= rows) return;
    auto load = [&](int row) { return *(const Values*)(row_of(a.x, row < 0 ? 0 : row < rows ? row : rows - 1) + channel); };
    Values past[Past], x[RowsAtOnce];
    UNROLL
    for (int k = 0; k < Past; k++) past[k] = load(first - 1 - k);
    UNROLL
    for (int i = 0; i < RowsAtOnce; i++) x[i] = load(first + i);
    int sequence = a.batch.sequenceOf[first], start = a.batch.starts[sequence], end = start + a.batch.lengths[sequence];
    if (end < last) {
        conv_sequences<V>(a, channel, first, last);
        return;
    }
    if (start == first) {
        UNROLL
        for (int v = 0; v < V; v++) {
            float* window = window_of(a, sequence, channel + v);
            UNROLL
            for (int k = 0; k < Past; k++) past[k].v[v] = window[Past - 1 - k];
            advance(a, window, channel + v, start, end - start);
        }
    }
    int own = start < first && first - start < Past ? start + Past : first;
    // A few rows at a time, the next of them on their way: code for all would not stay in the cache of instructions.
    _Pragma("unroll 1")
    for (int t0 = first; t0 < last; t0 += RowsAtOnce) {
        Values next[RowsAtOnce];
        UNROLL
        for (int i = 0; i < RowsAtOnce; i++) next[i] = load(t0 + RowsAtOnce + i);
        UNROLL
        for (int i = 0; i < RowsAtOnce; i++) {
            const Values &x1 = i > 0 ? x[i - 1] : past[0], &x2 = i > 1 ? x[i - 2] : past[1 - i], &x3 = i > 2 ? x[i - 3] : past[2 - i];
            float y[V];
            UNROLL
            for (int v = 0; v < V; v++) y[v] = quick_silu(bias[v] + w[v].w * x[i].v[v] + w[v].z * x1.v[v] + w[v].y * x2.v[v] + w[v].x * x3.v[v]);
            if (t0 + i >= own && t0 + i < last) {
                if constexpr (V == 4) deliver_four(a.y, a.half, t0 + i, channel, F4{y[0], y[1], y[2], y[3]}, true);
                else deliver(a.y, a.half, t0 + i, channel, y[0]);
            }
        }
        UNROLL
        for (int k = 0; k < Past; k++) past[k] = x[RowsAtOnce - 1 - k];
        UNROLL
        for (int i = 0; i < RowsAtOnce; i++) x[i] = next[i];
    }
}
/// Four blocks have room on a multiprocessor.
EARLY_KERNEL(conv_rows_4, ConvArguments, 128, 4) {
    start_dependents();
    conv_tile<4>(a);
}
EARLY_KERNEL(conv_rows_1, ConvArguments, 128) {
    start_dependents();
    conv_tile<1>(a);
}

/// Any rows and taps.
KERNEL(conv_rows, ConvArguments, 128) {
    int channel = BLOCK_X * THREADS + THREAD, rows = a.batch.counts[TokenRows];
    if (channel >= a.x.width) return;
    for (int t = BLOCK_Y * RowsOfBlock; t < BLOCK_Y * RowsOfBlock + RowsOfBlock && t < rows; t++) {
        int sequence = a.batch.sequenceOf[t];
        deliver(a.y, a.half, t, channel, convolved(a, window_of(a, sequence, channel), channel, a.batch.starts[sequence], t));
    }
}

/// The windows after conv_rows.
KERNEL(conv_window, ConvArguments, 128) {
    int channel = BLOCK_X * THREADS + THREAD, sequence = BLOCK_Y;
    if (sequence >= a.batch.counts[SequenceCount] || channel >= a.x.width) return;
    advance(a, window_of(a, sequence, channel), channel, a.batch.starts[sequence], a.batch.lengths[sequence]);
}
