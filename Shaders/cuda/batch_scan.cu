// The scan of many sequences by dt as it is.
#include "batch_scan.h"
EARLY_KERNEL(batch_scan, BatchScanArguments, 128, 4) { batch_scan<Given>(a); }
