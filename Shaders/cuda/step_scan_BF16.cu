// targets: sm_80
#include "step_scan.h"
EARLY_KERNEL(step_scan_BF16, StepScanArguments, 512, 1) { step_scan<BF16>(a); }
