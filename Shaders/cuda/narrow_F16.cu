// targets: sm_80
#include "matmul_narrow.h"
NARROW_KERNELS(F16, HalfSide, Half,)
