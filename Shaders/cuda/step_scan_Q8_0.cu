// targets: sm_80
#include "step_scan.h"
EARLY_KERNEL(step_scan_Q8_0, StepScanArguments, 512, 1) { step_scan<Q8_0>(a); }
