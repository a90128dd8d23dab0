// targets: sm_80
#include "step_scan.h"
EARLY_KERNEL(step_scan_IQ4_XS, StepScanArguments, 512, 1) { step_scan<IQ4_XS>(a); }
