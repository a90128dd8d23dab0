// Embed: y[t] = table[token[t]], decoded exactly. A block a row. As the first kernel of a step it brings the batch table from the host: that is sooner done than
// by a copy before it. The blocks all write the same.
#include "formats.h"

struct EmbedArguments {
    Batch batch;
    Weights table;
    Matrix y;
    const U4* from;     // the host's table
    U4* to;             // where a.batch points
    int parts;          // of sixteen bytes; 0 where the table is there
};

DEVICE void bring_table(const EmbedArguments& a) {
    if (a.parts == 0) return;
    for (int i = THREAD; i < a.parts; i += THREADS) a.to[i] = a.from[i];
    sync();
}

template<class Format> TEMPLATE_DEVICE void embed_quantized(const EmbedArguments& a) {
    int row = BLOCK_X;
    bring_table(a);
    if (row >= a.batch.counts[TokenRows]) return;
    int token = a.batch.tokens[row];
    float* y = row_of(a.y, row);
    for (int group = THREAD; group < a.table.columns >> 5; group += THREADS) {
        Group g = Format::load(a.table, token, group);
        UNROLL
        for (int k = 0; k < 32; k++) y[group * 32 + k] = decoded(g, k);
    }
}
template<class Format> TEMPLATE_DEVICE void embed_floats(const EmbedArguments& a) {
    int row = BLOCK_X;
    bring_table(a);
    if (row >= a.batch.counts[TokenRows]) return;
    int token = a.batch.tokens[row];
    float* y = row_of(a.y, row);
    for (int column = THREAD; column < a.table.columns; column += THREADS) y[column] = Format::load(a.table, token, column);
}

#define QUANTIZED(Format) KERNEL(embed_##Format, EmbedArguments, 128) { embed_quantized<Format>(a); }
#define FLOATS(Format) KERNEL(embed_##Format, EmbedArguments, 128) { embed_floats<Format>(a); }
FOR_QUANTIZED(QUANTIZED)
FOR_FLOATS(FLOATS)
