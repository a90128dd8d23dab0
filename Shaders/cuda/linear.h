// What the products share: their arguments, and how a sum becomes an output.
#pragma once
#include "activations.h"
#include "formats.h"

struct LinearArguments {
    Batch batch;
    Weights weights;
    Matrix x;
    Rounded rounded;        // x in 8 bits, where the product reads that
    Matrix addTo;           // or null data
    Matrix y;
    const float* bias;      // or null
    int rows;               // TokenRows or OutputRows
};

/// The output may lie in addTo's memory: each element is read before it is written.
DEVICE void finish(const LinearArguments& a, int row, int column, float sum) {
    if (a.bias) sum += a.bias[column];
    if (a.addTo.data) sum += row_of(a.addTo, row)[column];
    row_of(a.y, row)[column] = sum;
}
