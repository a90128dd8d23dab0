// targets: sm_80
#include "step_quantized.h"
EARLY_KERNEL(step_Q5_K, StepArguments, 512, 1) { step<QuantizedRows<Q5KBlocks>>(a); }
