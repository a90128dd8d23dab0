// targets: sm_80
#include "matmul_narrow.h"
NARROW_KERNELS(BF16, HalfSide, Bfloat,)
