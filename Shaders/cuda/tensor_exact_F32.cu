// Rows × columns of a tile, as TensorTile.cs has them.
// targets: sm_80
#include "matmul_tensor.h"
KERNEL(matmul_exact_F32_128x128, TensorArguments, 256) { matmul<Half, 128, 128, 2, 4, 32, 2, 2, 2>(a); }
