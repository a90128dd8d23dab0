#include "dequantize.h"
#include "matmul.h"
#include "matvec.h"
KERNEL(matvec_Q4_1_1, LinearArguments, 128) { matvec_quantized<Q4_1, 1>(a); }
KERNEL(matvec_Q4_1_4, LinearArguments, 128) { matvec_quantized<Q4_1, 4>(a); }
KERNEL(matmul_Q4_1, LinearArguments, 256) { matmul<Q4_1, Quantized>(a); }
KERNEL(dequantize_Q4_1, DequantizeArguments, 128) { dequantize<Q4_1>(a); }
KERNEL(dequantize_parts_Q4_1, DequantizeArguments, 128) { dequantize_parts<Q4_1>(a); }
