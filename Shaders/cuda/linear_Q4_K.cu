#include "dequantize.h"
#include "matmul.h"
#include "matvec.h"
KERNEL(matvec_Q4_K_1, LinearArguments, 128) { matvec_quantized<Q4_K, 1>(a); }
KERNEL(matvec_Q4_K_4, LinearArguments, 128) { matvec_quantized<Q4_K, 4>(a); }
KERNEL(matmul_Q4_K, LinearArguments, 256) { matmul<Q4_K, Quantized>(a); }
KERNEL(dequantize_Q4_K, DequantizeArguments, 128) { dequantize<Q4_K>(a); }
KERNEL(dequantize_parts_Q4_K, DequantizeArguments, 128) { dequantize_parts<Q4_K>(a); }
