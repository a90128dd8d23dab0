#include "matvec.h"
#define KERNELS(Format) \
    KERNEL(matvec_##Format##_1, LinearArguments, 128) { matvec_floats<Format, 1>(a); } \
    KERNEL(matvec_##Format##_4, LinearArguments, 128) { matvec_floats<Format, 4>(a); }
FOR_FLOATS(KERNELS)
#define WIDE(Format) \
    KERNEL(matvec_##Format##_wide_1, LinearArguments, 128) { matvec_halves<Format, 1>(a); } \
    KERNEL(matvec_##Format##_wide_4, LinearArguments, 128) { matvec_halves<Format, 4>(a); }
WIDE(F16) WIDE(BF16)
