#include "dequantize.h"
#include "matmul.h"
#include "matvec.h"
KERNEL(matvec_IQ4_XS_1, LinearArguments, 128) { matvec_quantized<IQ4_XS, 1>(a); }
KERNEL(matvec_IQ4_XS_4, LinearArguments, 128) { matvec_quantized<IQ4_XS, 4>(a); }
KERNEL(matmul_IQ4_XS, LinearArguments, 256) { matmul<IQ4_XS, Quantized>(a); }
KERNEL(dequantize_IQ4_XS, DequantizeArguments, 128) { dequantize<IQ4_XS>(a); }
KERNEL(dequantize_parts_IQ4_XS, DequantizeArguments, 128) { dequantize_parts<IQ4_XS>(a); }
