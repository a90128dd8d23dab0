// targets: sm_80
#include "batch_scan_halves.h"
EARLY_KERNEL(batch_scan_BF16, BatchScanArguments, 128, 4) { batch_scan<Projected<Bfloat>>(a); }
