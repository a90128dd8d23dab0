// targets: sm_80
#include "step_scan.h"
EARLY_KERNEL(step_scan_Expanded, StepScanArguments, 512, 1) { step_scan<Expanded>(a); }
