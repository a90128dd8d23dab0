// targets: sm_80
#include "batch_scan_halves.h"
EARLY_KERNEL(batch_scan_F16, BatchScanArguments, 128, 4) { batch_scan<Projected<Half>>(a); }
