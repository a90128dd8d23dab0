#include "dequantize.h"
#include "matmul.h"
#include "matvec.h"
KERNEL(matvec_Q5_K_1, LinearArguments, 128) { matvec_quantized<Q5_K, 1>(a); }
KERNEL(matvec_Q5_K_4, LinearArguments, 128) { matvec_quantized<Q5_K, 4>(a); }
KERNEL(matmul_Q5_K, LinearArguments, 256) { matmul<Q5_K, Quantized>(a); }
KERNEL(dequantize_Q5_K, DequantizeArguments, 128) { dequantize<Q5_K>(a); }
KERNEL(dequantize_parts_Q5_K, DequantizeArguments, 128) { dequantize_parts<Q5_K>(a); }
