// targets: sm_80
#include "step_scan.h"
EARLY_KERNEL(step_scan_Q6_K, StepScanArguments, 512, 1) { step_scan<Q6_K>(a); }
