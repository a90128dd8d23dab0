// targets: sm_90a
#include "batch_boxes.h"
BOXES_KERNELS(BF16, Bfloat)
