// Rounds rows of activations to 8 bits, once for all products that read them. A warp a block of 32 columns.
#include "activations.h"

struct QuantizeArguments {
    Batch batch;
    Matrix x;
    Rounded y;
    int rows;   // TokenRows or OutputRows
};

KERNEL(quantize, QuantizeArguments, 128) {
    int row = BLOCK_Y, block = BLOCK_X * (THREADS / 32) + THREAD / 32;
    if (row >= a.batch.counts[a.rows] || block >= a.y.blocks) return;
    round_block(a.y, row, block, row_of(a.x, row)[block * 32 + (THREAD & 31)]);
}
