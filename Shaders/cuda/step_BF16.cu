// targets: sm_80
#include "step_halves.h"
EARLY_KERNEL(step_BF16, StepArguments, 512, 1) { step<HalfTiles<Bfloat>>(a); }
