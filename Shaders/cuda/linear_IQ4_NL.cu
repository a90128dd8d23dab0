#include "dequantize.h"
#include "matmul.h"
#include "matvec.h"
KERNEL(matvec_IQ4_NL_1, LinearArguments, 128) { matvec_quantized<IQ4_NL, 1>(a); }
KERNEL(matvec_IQ4_NL_4, LinearArguments, 128) { matvec_quantized<IQ4_NL, 4>(a); }
KERNEL_ROOMY(matmul_IQ4_NL, LinearArguments, 256) { matmul<IQ4_NL, Quantized>(a); }
KERNEL(dequantize_IQ4_NL, DequantizeArguments, 128) { dequantize<IQ4_NL>(a); }
KERNEL(dequantize_parts_IQ4_NL, DequantizeArguments, 128) { dequantize_parts<IQ4_NL>(a); }
