// targets: sm_80
#include "step_scan.h"
EARLY_KERNEL(step_scan_Q2_K, StepScanArguments, 512, 1) { step_scan<Q2_K>(a); }
