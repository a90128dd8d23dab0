// targets: sm_80
#include "batch_step.h"
STEP_KERNELS(F16, Half)
