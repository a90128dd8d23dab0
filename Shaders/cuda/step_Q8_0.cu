// targets: sm_80
#include "step_quantized.h"
EARLY_KERNEL(step_Q8_0, StepArguments, 512, 1) { step<QuantizedRows<Q8Blocks>>(a); }
