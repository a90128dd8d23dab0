// The names of common.h on a CPU: the threads of a block are fibers of one thread, so kernels can be run, and stepped through, without a GPU.
// For correctness only. Kernels whose instructions have no meaning here (tensor cores, bulk copies) do not compile against it.
#pragma once
#include <math.h>
#include <string.h>

#define DEVICE static inline
#define TEMPLATE_DEVICE inline
#define METHOD static inline
#define SHARED static
#define KERNEL(name, Arguments, threads) \
    static void name##_body(Arguments a); \
    extern "C" void name(void* a) { name##_body(*(Arguments*)a); } \
    extern "C" const unsigned name##_size = sizeof(Arguments), name##_threads = threads; \
    static void name##_body(Arguments a)

typedef unsigned char u8;
typedef signed char s8;
typedef unsigned short u16;
typedef unsigned u32;
typedef unsigned long long u64;
typedef long long s64;

struct EmulatedThread { int thread, threads, blockX, blockY; };
extern "C" EmulatedThread emulated;
extern "C" void emulated_sync();
extern "C" float emulated_exchange(float v, int mask);

#define THREAD emulated.thread
#define THREADS emulated.threads
#define BLOCK_X emulated.blockX
#define BLOCK_Y emulated.blockY

#define sync emulated_sync
#define exchange emulated_exchange

DEVICE float exp2_fast(float x) { return exp2f(x); }
DEVICE float reciprocal(float x) { return 1.f / x; }
DEVICE float root_reciprocal(float x) { return 1.f / sqrtf(x); }
DEVICE float mul_rounded(float x, float y) { return x * y; }
DEVICE float add_rounded(float x, float y) { return x + y; }
DEVICE int round_int(float x) { return (int)nearbyintf(x); }
DEVICE int dot4(int x, int y, int c) {
    for (int i = 0; i < 4; i++) c += (int)(s8)(x >> 8 * i) * (int)(s8)(y >> 8 * i);
    return c;
}
