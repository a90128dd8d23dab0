// CausalConv: depthwise, then SiLU. A thread a channel. The window is [channels, taps − 1] of a slot, as in the canonical state.
#include "common.h"

struct ConvArguments {
    Batch batch;
    Matrix x, y;
    const float* weight;    // [channels, taps]
    const float* bias;      // or null
    s64 window;             // floats from the beginning of a slot
    int taps;
};

static constexpr int RowsOfBlock = 8;

/// The input `back` rows before row t of a sequence: from the window where that is before its first row.
DEVICE float input(const ConvArguments& a, const float* window, int channel, int start, int t, int back) {
    int row = t - back, past = a.taps - 1;
    return row >= start ? row_of(a.x, row)[channel] : window[row - start + past];
}
DEVICE void output(const ConvArguments& a, const float* window, int channel, int start, int t) {
    const float* weight = a.weight + (s64)channel * a.taps;
    float sum = a.bias ? a.bias[channel] : 0.f;
    for (int k = 0; k < a.taps; k++) sum += weight[k] * input(a, window, channel, start, t, a.taps - 1 - k);
    row_of(a.y, t)[channel] = silu(sum);
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
    output(a, window, channel, start, start);
    advance(a, window, channel, start, 1);
}

/// Any rows; the windows are left as they are.
KERNEL(conv_rows, ConvArguments, 128) {
    int channel = BLOCK_X * THREADS + THREAD, rows = a.batch.counts[TokenRows];
    if (channel >= a.x.width) return;
    for (int t = BLOCK_Y * RowsOfBlock; t < BLOCK_Y * RowsOfBlock + RowsOfBlock && t < rows; t++) {
        int sequence = a.batch.sequenceOf[t];
        output(a, window_of(a, sequence, channel), channel, a.batch.starts[sequence], t);
    }
}

/// The windows after conv_rows.
KERNEL(conv_window, ConvArguments, 128) {
    int channel = BLOCK_X * THREADS + THREAD, sequence = BLOCK_Y;
    if (sequence >= a.batch.counts[SequenceCount] || channel >= a.x.width) return;
    advance(a, window_of(a, sequence, channel), channel, a.batch.starts[sequence], a.batch.lengths[sequence]);
}
