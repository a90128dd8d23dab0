#include "dequantize.h"
#include "matmul.h"
#include "matvec.h"
KERNEL(matvec_Q8_0_1, LinearArguments, 128) { matvec_quantized<Q8_0, 1>(a); }
KERNEL(matvec_Q8_0_4, LinearArguments, 128) { matvec_quantized<Q8_0, 4>(a); }
KERNEL(matmul_Q8_0, LinearArguments, 256) { matmul<Q8_0, Quantized>(a); }
KERNEL(dequantize_Q8_0, DequantizeArguments, 128) { dequantize<Q8_0>(a); }
KERNEL(dequantize_parts_Q8_0, DequantizeArguments, 128) { dequantize_parts<Q8_0>(a); }
