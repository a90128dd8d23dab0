// targets: sm_90a
#include "matmul_wgmma.h"
KERNEL_ROOMY(matmul_exact_BF16_wgmma_128, WgmmaArguments, 384) { matmul<Bfloat, 128, 3, 3, 1>(a); }
