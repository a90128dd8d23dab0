// CausalConv: depthwise, then SiLU. A thread a channel. The window is [channels, taps − 1] of a slot, as in the canonical state.
#include "halves.h"

struct ConvArguments {
    Batch batch;
    Matrix x, y;
    const float* weight;    // [channels, taps]
    const float* bias;      // or null
    s64 window;             // floats from the beginning of a slot
    int taps;
    Rounding half;          // of y, where there are many rows
};

/// Rows of a block, and those of which the inputs are read ahead; taps that are kept in registers.
static constexpr int RowsOfBlock = 16, RowsAhead = 8, MostTaps = 4;

/// The input `back` rows before row t of a sequence: from the window where that is before its first row.
DEVICE float input(const ConvArguments& a, const float* window, int channel, int start, int t, int back) {
    int row = t - back, past = a.taps - 1;
    return row >= start ? row_of(a.x, row)[channel] : window[row - start + past];
}
DEVICE float convolved(const ConvArguments& a, const float* window, int channel, int start, int t) {
    const float* weight = a.weight + (s64)channel * a.taps;
    float sum = a.bias ? a.bias[channel] : 0.f;
    for (int k = 0; k < a.taps; k++) sum += weight[k] * input(a, window, channel, start, t, a.taps - 1 - k);
    return silu(sum);
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
        silu(bias.x + t0.x * w0.x + t0.y * w0.y + t0.z * w0.z + t0.w * x.x), silu(bias.y + t1.x * w0.w + t1.y * w1.x + t1.z * w1.y + t1.w * x.y),
        silu(bias.z + t2.x * w1.z + t2.y * w1.w + t2.z * w2.x + t2.w * x.z), silu(bias.w + t3.x * w2.y + t3.y * w2.z + t3.z * w2.w + t3.w * x.w)}, true);
}

/// Any rows, V channels a thread, whole warps of them where they are rounded to 8 bits. Inputs of the rows before are kept in registers, at most three of them.
/// Whoever has a sequence's first row moves its window on: nobody else reads that.
template<int V> TEMPLATE_DEVICE void conv_tile(const ConvArguments& a) {
    struct alignas(4 * V) Values { float v[V]; };
    int channel = (BLOCK_X * THREADS + THREAD) * V, rows = a.batch.counts[TokenRows];
    if (channel >= a.x.width) return;
    float w[MostTaps][V], before[MostTaps - 1][V], bias[V];
    UNROLL
    for (int v = 0; v < V; v++) {
        bias[v] = a.bias ? a.bias[channel + v] : 0.f;
        UNROLL
        for (int k = 0; k < MostTaps; k++) w[k][v] = k < a.taps ? a.weight[(s64)(channel + v) * a.taps + a.taps - 1 - k] : 0.f;
        UNROLL
        for (int k = 0; k < MostTaps - 1; k++) before[k][v] = 0;
    }
    int next = BLOCK_Y * RowsOfBlock;   // where another sequence begins
    for (int t0 = next; t0 < BLOCK_Y * RowsOfBlock + RowsOfBlock && t0 < rows; t0 += RowsAhead) {
        Values x[RowsAhead];
        UNROLL
        for (int i = 0; i < RowsAhead; i++) x[i] = *(const Values*)(row_of(a.x, t0 + i < rows ? t0 + i : rows - 1) + channel);
        UNROLL
        for (int i = 0; i < RowsAhead; i++) {
            int t = t0 + i;
            if (t >= rows) return;
            if (t == next) {
                int sequence = a.batch.sequenceOf[t], start = a.batch.starts[sequence];
                next = start + a.batch.lengths[sequence];
                UNROLL
                for (int k = 1; k < MostTaps; k++)
                    UNROLL
                    for (int v = 0; v < V; v++)
                        before[k - 1][v] = k < a.taps ? input(a, window_of(a, sequence, channel + v), channel + v, start, t, k) : 0.f;
                if (t == start) {
                    float moved[V][MostTaps - 1];    // all are on their way before the first is written
                    UNROLL
                    for (int v = 0; v < V; v++)
                        UNROLL
                        for (int j = 0; j < MostTaps - 1; j++)
                            moved[v][j] = j < a.taps - 1 ? input(a, window_of(a, sequence, channel + v), channel + v, start, next - 1, a.taps - 2 - j) : 0.f;
                    UNROLL
                    for (int v = 0; v < V; v++)
                        UNROLL
                        for (int j = 0; j < MostTaps - 1; j++)
                            if (j < a.taps - 1) window_of(a, sequence, channel + v)[j] = moved[v][j];
                }
            }
            Values y;
            UNROLL
            for (int v = 0; v < V; v++) {
                float sum = bias[v] + w[0][v] * x[i].v[v];
                UNROLL
                for (int k = 1; k < MostTaps; k++) sum += w[k][v] * before[k - 1][v];
                y.v[v] = silu(sum);
                UNROLL
                for (int k = MostTaps - 2; k > 0; k--) before[k][v] = before[k - 1][v];
                before[0][v] = x[i].v[v];
            }
            if constexpr (V == 4) deliver_four(a.y, a.half, t, channel, F4{y.v[0], y.v[1], y.v[2], y.v[3]}, true);
            else deliver(a.y, a.half, t, channel, y.v[0]);
        }
    }
}
/// Four blocks have room on a multiprocessor.
EARLY_KERNEL(conv_rows_4, ConvArguments, 128, 4) {
    start_dependents();
    wait_for_inputs();
    conv_tile<4>(a);
}
KERNEL(conv_rows_1, ConvArguments, 128) { conv_tile<1>(a); }

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
