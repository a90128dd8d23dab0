// targets: sm_80 sm_90a
#include "batch_step.h"
STEP_KERNELS(BF16, Bfloat)
