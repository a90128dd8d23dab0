// targets: sm_80
#include "step_scan.h"
EARLY_KERNEL(step_scan_Q5_0, StepScanArguments, 512, 1) { step_scan<Q5_0>(a); }
