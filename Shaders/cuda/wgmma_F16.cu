// targets: sm_90a
#include "matmul_wgmma.h"
KERNEL_ROOMY(matmul_F16_wgmma_128, WgmmaArguments, 384) { matmul<Half, 128, 5>(a); }
KERNEL_ROOMY(matmul_F16_wgmma_256, WgmmaArguments, 384) { matmul<Half, 256, 4>(a); }
