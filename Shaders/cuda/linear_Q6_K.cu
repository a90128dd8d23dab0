#include "dequantize.h"
#include "matmul.h"
#include "matvec.h"
KERNEL(matvec_Q6_K_1, LinearArguments, 128) { matvec_quantized<Q6_K, 1>(a); }
KERNEL(matvec_Q6_K_4, LinearArguments, 128) { matvec_quantized<Q6_K, 4>(a); }
KERNEL(matmul_Q6_K, LinearArguments, 256) { matmul<Q6_K, Quantized>(a); }
KERNEL(dequantize_Q6_K, DequantizeArguments, 128) { dequantize<Q6_K>(a); }
KERNEL(dequantize_parts_Q6_K, DequantizeArguments, 128) { dequantize_parts<Q6_K>(a); }
