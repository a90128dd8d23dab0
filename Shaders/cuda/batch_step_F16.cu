// targets: sm_80 sm_90a
#include "batch_step.h"
STEP_KERNELS(F16, Half)
