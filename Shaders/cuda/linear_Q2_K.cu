#include "dequantize.h"
#include "matmul.h"
#include "matvec.h"
KERNEL(matvec_Q2_K_1, LinearArguments, 128) { matvec_quantized<Q2_K, 1>(a); }
KERNEL(matvec_Q2_K_4, LinearArguments, 128) { matvec_quantized<Q2_K, 4>(a); }
KERNEL(matmul_Q2_K, LinearArguments, 256) { matmul<Q2_K, Quantized>(a); }
KERNEL(dequantize_Q2_K, DequantizeArguments, 128) { dequantize<Q2_K>(a); }
KERNEL(dequantize_parts_Q2_K, DequantizeArguments, 128) { dequantize_parts<Q2_K>(a); }
