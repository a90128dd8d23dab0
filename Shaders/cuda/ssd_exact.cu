// targets: sm_80
#include "ssd_chunks.h"
SSD_KERNELS(ssd_exact, Half, 64)
SSD_KERNELS(ssd_exact, Half, 128)
