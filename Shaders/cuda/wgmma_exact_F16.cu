// targets: sm_90a
#include "matmul_wgmma.h"
KERNEL_ROOMY(matmul_exact_F16_wgmma_128, WgmmaArguments, 384) { matmul<Half, 128, 4, 2, 1>(a); }
KERNEL_ROOMY(matmul_exact_F16_wgmma_160, WgmmaArguments, 384) { matmul<Half, 160, 4, 2, 1>(a); }
