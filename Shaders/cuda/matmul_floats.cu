#include "matmul.h"
#define KERNELS(Format) KERNEL(matmul_##Format, LinearArguments, 256) { matmul<Format, Floats>(a); }
FOR_FLOATS(KERNELS)
