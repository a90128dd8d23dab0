// targets: sm_80 sm_90a
#include "step_whole.h"
EARLY_KERNEL(whole_Q4_K, StepArguments, 512, 1) { step_whole<WholeQ4K>(a); }
