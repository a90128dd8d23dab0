#include "dequantize.h"
#include "matmul.h"
#include "matvec.h"
KERNEL(matvec_Q5_1_1, LinearArguments, 128) { matvec_quantized<Q5_1, 1>(a); }
KERNEL(matvec_Q5_1_4, LinearArguments, 128) { matvec_quantized<Q5_1, 4>(a); }
KERNEL(matmul_Q5_1, LinearArguments, 256) { matmul<Q5_1, Quantized>(a); }
KERNEL(dequantize_Q5_1, DequantizeArguments, 128) { dequantize<Q5_1>(a); }
KERNEL(dequantize_parts_Q5_1, DequantizeArguments, 128) { dequantize_parts<Q5_1>(a); }
