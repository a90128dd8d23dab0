// targets: sm_90a
#include "matmul_wgmma.h"
KERNEL_ROOMY(matmul_exact_F32_wgmma_128, WgmmaArguments, 384) { matmul<Half, 128, 3, 2, 2>(a); }
