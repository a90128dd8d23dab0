// targets: sm_80
#include "step_quantized.h"
EARLY_KERNEL(step_Q4_K, StepArguments, 512, 1) { step<QuantizedRows<Q4KBlocks>>(a); }
