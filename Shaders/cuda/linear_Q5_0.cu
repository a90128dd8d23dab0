#include "dequantize.h"
#include "matmul.h"
#include "matvec.h"
KERNEL(matvec_Q5_0_1, LinearArguments, 128) { matvec_quantized<Q5_0, 1>(a); }
KERNEL(matvec_Q5_0_4, LinearArguments, 128) { matvec_quantized<Q5_0, 4>(a); }
KERNEL(matmul_Q5_0, LinearArguments, 256) { matmul<Q5_0, Quantized>(a); }
KERNEL(dequantize_Q5_0, DequantizeArguments, 128) { dequantize<Q5_0>(a); }
KERNEL(dequantize_parts_Q5_0, DequantizeArguments, 128) { dequantize_parts<Q5_0>(a); }
