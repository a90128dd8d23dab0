// targets: sm_80
#include "batch_step.h"
STEP_KERNELS(BF16, Bfloat)
