// targets: sm_80
#include "step_scan.h"
EARLY_KERNEL(step_scan_F32, StepScanArguments, 512, 1) { step_scan<F32>(a); }
