// Rows × columns of a tile, as TensorTile.cs chooses among them.
// targets: sm_80
#include "matmul_tensor.h"
KERNEL(matmul_BF16_128x128, TensorArguments, 256) { matmul<Bfloat, 128, 128, 2, 4, 32, 4>(a); }
KERNEL(matmul_BF16_64x64, TensorArguments, 128) { matmul<Bfloat, 64, 64, 2, 2, 64, 3>(a); }
KERNEL(matmul_BF16_32x64, TensorArguments, 128) { matmul<Bfloat, 32, 64, 1, 4, 64, 4>(a); }
