// targets: sm_80
#include "ssd_chunks.h"
SSD_KERNELS(ssd, Bfloat, 64)
SSD_KERNELS(ssd, Bfloat, 128)
