#include "dequantize.h"
#include "matmul.h"
#include "matvec.h"
KERNEL(matvec_Q3_K_1, LinearArguments, 128) { matvec_quantized<Q3_K, 1>(a); }
KERNEL(matvec_Q3_K_4, LinearArguments, 128) { matvec_quantized<Q3_K, 4>(a); }
KERNEL(matmul_Q3_K, LinearArguments, 256) { matmul<Q3_K, Quantized>(a); }
KERNEL(dequantize_Q3_K, DequantizeArguments, 128) { dequantize<Q3_K>(a); }
KERNEL(dequantize_parts_Q3_K, DequantizeArguments, 128) { dequantize_parts<Q3_K>(a); }
