// Rows × columns of a tile, as TensorTile.cs has them.
// targets: sm_80
#include "matmul_tensor.h"
KERNEL(matmul_exact_BF16_128x128, TensorArguments, 256) { matmul<Bfloat, 128, 128, 2, 4, 32, 2, 3, 1>(a); }
