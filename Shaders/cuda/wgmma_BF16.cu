// targets: sm_90a
#include "matmul_wgmma.h"
KERNEL_ROOMY(matmul_BF16_wgmma_128, WgmmaArguments, 384) { matmul<Bfloat, 128, 5>(a); }
KERNEL_ROOMY(matmul_BF16_wgmma_256, WgmmaArguments, 384) { matmul<Bfloat, 256, 4>(a); }
