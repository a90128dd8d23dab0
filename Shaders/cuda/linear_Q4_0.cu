#include "dequantize.h"
#include "matmul.h"
#include "matvec.h"
KERNEL(matvec_Q4_0_1, LinearArguments, 128) { matvec_quantized<Q4_0, 1>(a); }
KERNEL(matvec_Q4_0_4, LinearArguments, 128) { matvec_quantized<Q4_0, 4>(a); }
KERNEL(matmul_Q4_0, LinearArguments, 256) { matmul<Q4_0, Quantized>(a); }
KERNEL(dequantize_Q4_0, DequantizeArguments, 128) { dequantize<Q4_0>(a); }
KERNEL(dequantize_parts_Q4_0, DequantizeArguments, 128) { dequantize_parts<Q4_0>(a); }
