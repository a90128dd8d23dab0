// SelectOutputs: the rows whose logits are wanted. A block a row.
#include "common.h"

struct SelectArguments {
    Batch batch;
    Matrix x, y;
};

KERNEL(select_outputs, SelectArguments, 256) {
    if (BLOCK_X >= a.batch.counts[OutputRows]) return;
    const float* x = row_of(a.x, a.batch.outputRows[BLOCK_X]);
    float* y = row_of(a.y, BLOCK_X);
    for (int i = THREAD; i < a.x.width; i += THREADS) y[i] = x[i];
}
