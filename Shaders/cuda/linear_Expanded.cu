#include "dequantize.h"
#include "matmul.h"
#include "matvec.h"
KERNEL(matvec_Expanded_1, LinearArguments, 128) { matvec_quantized<Expanded, 1>(a); }
KERNEL(matvec_Expanded_4, LinearArguments, 128) { matvec_quantized<Expanded, 4>(a); }
KERNEL(matmul_Expanded, LinearArguments, 256) { matmul<Expanded, Quantized>(a); }
KERNEL(dequantize_Expanded, DequantizeArguments, 128) { dequantize<Expanded>(a); }
KERNEL(dequantize_parts_Expanded, DequantizeArguments, 128) { dequantize_parts<Expanded>(a); }
