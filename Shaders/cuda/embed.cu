// Embed: y[t] = scale · table[token[t]], decoded exactly. A block a row. As the first kernel of a step it brings the batch table from the host: that is sooner done than
// by a copy before it. The blocks all write the same.
#include "formats.h"

struct EmbedArguments {
    Batch batch;
    Weights table;
    Matrix y;
    const Pick* picks;
    s64 last;           // where in a slot its last pick stands, inverted where that ended a text
    u64 scratch;        // the slot that belongs to no sequence
    const U4* from;     // the host's table
    U4* to;             // where a.batch points
    int parts;          // of sixteen bytes; 0 where the table is there
    int single;         // whether each row is a sequence
    float scale;
};

DEVICE int last_pick(const EmbedArguments& a, int row) { return *(const int*)(a.picks[a.single ? row : a.batch.sequenceOf[row]].home + a.last); }
/// A row that would go on where its text has ended goes on in no sequence's slot instead.
DEVICE void leave_ended(const EmbedArguments& a, int row) {
    if (a.batch.tokens[row] < 0 && last_pick(a, row) < 0) ((u64*)a.batch.slots)[a.single ? row : a.batch.sequenceOf[row]] = a.scratch;
}
/// Brings the table where it is not there, and finds the token of a row; one below zero stands for what the run before picked.
DEVICE int token_of(const EmbedArguments& a, int row) {
    if (a.parts > 0) {
        for (int i = THREAD; i < a.parts; i += THREADS) a.to[i] = a.from[i];
        sync();
        if (THREAD < a.batch.counts[TokenRows]) leave_ended(a, THREAD);   // every block for all, as it has written over what others left
    } else if (THREAD == 0 && row < a.batch.counts[TokenRows]) leave_ended(a, row);
    if (row >= a.batch.counts[TokenRows]) return -1;
    int token = a.batch.tokens[row];
    if (token >= 0) return token;
    int last = last_pick(a, row);
    return last < 0 ? ~last : last;
}

template<class Format> TEMPLATE_DEVICE void embed_quantized(const EmbedArguments& a) {
    int row = BLOCK_X, token = token_of(a, row);
    if (token < 0) return;
    float* y = row_of(a.y, row);
    for (int group = THREAD; group < a.table.columns >> 5; group += THREADS) {
        Group g = Format::load(a.table, token, group);
        UNROLL
        for (int k = 0; k < 32; k++) y[group * 32 + k] = decoded(g, k) * a.scale;
    }
}
template<class Format> TEMPLATE_DEVICE void embed_floats(const EmbedArguments& a) {
    int row = BLOCK_X, token = token_of(a, row);
    if (token < 0) return;
    float* y = row_of(a.y, row);
    for (int column = THREAD; column < a.table.columns; column += THREADS) y[column] = Format::load(a.table, token, column) * a.scale;
}

#define QUANTIZED(Format) KERNEL(embed_##Format, EmbedArguments, 128) { embed_quantized<Format>(a); }
#define FLOATS(Format) KERNEL(embed_##Format, EmbedArguments, 128) { embed_floats<Format>(a); }
FOR_QUANTIZED(QUANTIZED)
FOR_FLOATS(FLOATS)
