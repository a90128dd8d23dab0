// targets: sm_80
#include "step_scan.h"
EARLY_KERNEL(step_scan_F16, StepScanArguments, 512, 1) { step_scan<F16>(a); }
