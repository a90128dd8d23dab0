// targets: sm_80
#include "matmul_narrow.h"
NARROW_KERNELS(Q8_0, ByteSide,)
