// What every kernel file includes: CUDA C++ for clang without a toolkit, or (EMULATED) the same names for a CPU.
#pragma once
#ifdef EMULATED
#include "emulation.h"
#else

#define DEVICE static __attribute__((device)) inline __attribute__((always_inline))
#define TEMPLATE_DEVICE inline __attribute__((device)) __attribute__((always_inline))
#define METHOD __attribute__((device)) static inline __attribute__((always_inline))
#define MEMBER __attribute__((device)) inline __attribute__((always_inline))
#define SHARED __attribute__((shared))
/// The shared memory whose size the launch gives.
#define DYNAMIC_SHARED(name) extern __attribute__((shared)) __attribute__((aligned(128))) char name[]
/// A kernel of at most `threads` threads with one argument, a structure that Backends/Cuda/KernelArguments.cs mirrors. It waits for the kernels before it.
#define KERNEL(name, Arguments, threads) WAITING_KERNEL(name, Arguments, threads)
/// One for which registers count more than how many of its blocks a multiprocessor holds.
#define KERNEL_ROOMY(name, Arguments, threads) WAITING_KERNEL(name, Arguments, threads, 1)
/// One of which a multiprocessor is to hold so many blocks.
#define KERNEL_BESIDE(name, Arguments, threads, blocks) WAITING_KERNEL(name, Arguments, threads, blocks)
#define WAITING_KERNEL(name, Arguments, ...) \
    DEVICE void name##_body(Arguments a); \
    EARLY_KERNEL(name, Arguments, __VA_ARGS__) { start_dependents(); wait_for_inputs(); name##_body(a); } \
    DEVICE void name##_body(Arguments a)
/// One that waits where it likes, by itself. `threads, 1` spends registers to have its loads together.
#define EARLY_KERNEL(name, Arguments, ...) extern "C" __attribute__((global)) __attribute__((launch_bounds(__VA_ARGS__))) void name(Arguments a)

typedef unsigned char u8;
typedef signed char s8;
typedef unsigned short u16;
typedef unsigned u32;
typedef unsigned long long u64;
typedef long long s64;

#define THREAD ((int)__nvvm_read_ptx_sreg_tid_x())
#define THREADS ((int)__nvvm_read_ptx_sreg_ntid_x())
#define BLOCK_X ((int)__nvvm_read_ptx_sreg_ctaid_x())
#define BLOCKS_X ((int)__nvvm_read_ptx_sreg_nctaid_x())
#define BLOCK_Y ((int)__nvvm_read_ptx_sreg_ctaid_y())

// Two instructions of compute capability 9.0, which the host writes into the PTX or leaves out (KernelLibrary.cs).
/// Until the kernels before have ended and what they wrote can be read. Before it only weights, the batch table and states of earlier steps may be read.
DEVICE void wait_for_inputs() { asm volatile("WAIT_FOR_INPUTS;" ::: "memory"); }
/// Lets the blocks of the next kernel in where there is room.
DEVICE void start_dependents() { asm volatile("START_DEPENDENTS;" ::: "memory"); }

DEVICE void sync() { __syncthreads(); }
/// A barrier for so many threads, whole warps, that come to it from different places of the code; those of a block meet at `sync` in one.
DEVICE void meet(int threads) { asm volatile("barrier.sync.aligned 1, %0;" :: "r"(threads) : "memory"); }
DEVICE u32 shared_address(const void* p) { return (u32)(u64)(__attribute__((address_space(3))) const void*)p; }
/// How many threads of the block hold something; all of them meet.
DEVICE int sync_count(bool holds) {
    int r;
    asm volatile("{ .reg .pred p; setp.ne.u32 p, %1, 0; barrier.red.popc.u32 %0, 0, p; }" : "=r"(r) : "r"((u32)holds) : "memory");
    return r;
}
DEVICE float exchange(float v, int mask) {
    float r;
    asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=f"(r) : "f"(v), "r"(mask));
    return r;
}
DEVICE float exp2_fast(float x) { float r; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x)); return r; }
DEVICE float reciprocal(float x) { float r; asm("rcp.approx.f32 %0, %1;" : "=f"(r) : "f"(x)); return r; }
// NaN where x has overflowed: 0 would make a row of zeros, which looks like an answer.
DEVICE float root_reciprocal(float x) { float r; asm("rsqrt.approx.f32 %0, %1;" : "=f"(r) : "f"(x)); return r + x * 0.f; }
/// A product and a sum that are rounded each: what decoding is defined by.
DEVICE float mul_rounded(float x, float y) { float r; asm("mul.rn.f32 %0, %1, %2;" : "=f"(r) : "f"(x), "f"(y)); return r; }
DEVICE float add_rounded(float x, float y) { float r; asm("add.rn.f32 %0, %1, %2;" : "=f"(r) : "f"(x), "f"(y)); return r; }
/// Two of a block's barriers' sides: one says that it has been there, the other waits for all threads of both. Of barriers 1 to 15; what is written before the one is read behind the other.
DEVICE void arrive_at(int barrier, int threads) { asm volatile("bar.arrive %0, %1;" :: "r"(barrier), "r"(threads) : "memory"); }
DEVICE void wait_at(int barrier, int threads) { asm volatile("bar.sync %0, %1;" :: "r"(barrier), "r"(threads) : "memory"); }
DEVICE int round_int(float x) { int r; asm("cvt.rni.s32.f32 %0, %1;" : "=r"(r) : "f"(x)); return r; }
DEVICE s64 clock_nanoseconds() { s64 r; asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(r)); return r; }
/// Adds one to a count, and yields what it was. What this block and those that came before wrote can be read, past the first cache, behind it.
DEVICE int arrive(int* count) { int r; asm volatile("atom.acq_rel.gpu.global.add.s32 %0, [%1], 1;" : "=r"(r) : "l"(count) : "memory"); return r; }
/// c plus the products of four signed bytes.
DEVICE int dot4(int x, int y, int c) { int r; asm("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(r) : "r"(x), "r"(y), "r"(c)); return r; }
/// The same, the first bytes without a sign.
DEVICE int dot4_unsigned(int x, int y, int c) { int r; asm("dp4a.u32.s32 %0, %1, %2, %3;" : "=r"(r) : "r"(x), "r"(y), "r"(c)); return r; }
#endif

/// Before a loop over an array that has to stay in registers.
#define UNROLL _Pragma("unroll")

struct alignas(16) U4 { u32 x, y, z, w; };
struct alignas(16) F4 { float x, y, z, w; };
struct alignas(8) U2 { u32 x, y; };
struct alignas(8) F2 { float x, y; };

static constexpr float Log2E = 1.4426950408889634f;

DEVICE float half_to_float(u32 bits) { return (float)__builtin_bit_cast(_Float16, (u16)bits); }
DEVICE float bfloat_to_float(u32 bits) { return __builtin_bit_cast(float, bits << 16); }
DEVICE u16 float_to_half(float x) { return __builtin_bit_cast(u16, (_Float16)x); }

DEVICE float warp_sum(float v) {
    v += exchange(v, 16); v += exchange(v, 8); v += exchange(v, 4); v += exchange(v, 2);
    return v + exchange(v, 1);
}
/// Over the sixteen lanes of half a warp.
DEVICE float half_warp_sum(float v) {
    v += exchange(v, 8); v += exchange(v, 4); v += exchange(v, 2);
    return v + exchange(v, 1);
}
DEVICE float larger(float x, float y) { return x > y ? x : y; }
DEVICE float warp_max(float v) {
    v = larger(v, exchange(v, 16)); v = larger(v, exchange(v, 8)); v = larger(v, exchange(v, 4)); v = larger(v, exchange(v, 2));
    return larger(v, exchange(v, 1));
}
/// Over all threads of a block, whole warps of them; `room` holds 33 floats.
DEVICE float block_sum(float v, float* room) {
    v = warp_sum(v);
    if ((THREAD & 31) == 0) room[THREAD >> 5] = v;
    sync();
    if (THREAD < 32) {
        float part = THREAD < THREADS / 32 ? room[THREAD] : 0.f;
        part = warp_sum(part);
        if (THREAD == 0) room[32] = part;
    }
    sync();
    return room[32];
}

DEVICE float silu(float x) { return x * reciprocal(1.f + exp2_fast(-x * Log2E)); }

/// log(1 + e^x) = max(x, 0) + log(1 + e^−|x|), the logarithm by its series in u / (2 + u) ≤ 1/3: right in every digit also where the result is small.
DEVICE float softplus(float x) {
    float u = exp2_fast((x < 0.f ? x : -x) * Log2E), s = u * reciprocal(2.f + u), q = s * s;
    float p = 1.f / 15;
    p = p * q + 1.f / 13; p = p * q + 1.f / 11; p = p * q + 1.f / 9; p = p * q + 1.f / 7; p = p * q + 1.f / 5; p = p * q + 1.f / 3; p = p * q + 1.f;
    return (x > 0.f ? x : 0.f) + 2.f * s * p;
}

/// The batch that is being run, as BatchTable.cs lays it out. Rows beyond the counts belong to the bucket and not to the batch.
struct Batch {
    const int* counts;      // rows of tokens, rows of outputs, sequences
    const int* tokens;      // [rows]
    const int* sequenceOf;  // [rows]
    const int* outputRows;  // [outputs] the row of tokens
    const u64* slots;       // [sequences] where a slot's state begins
    const int* starts;      // [sequences] first row
    const int* lengths;     // [sequences] rows
};
enum { TokenRows = 0, OutputRows = 1, SequenceCount = 2 };

/// How a token is picked for a sequence of the batch, as BatchTable.cs lays it out.
struct Pick {
    u64 random;     // of its seed and position
    u64 home;       // the slot of the sequence; batch.slots has another where a run leaves that alone
    float scale;    // log2 e / temperature, 0 for greedy
    float topP;
    int topK;       // 0: all
    u32 least;      // min-p as a weight
    int row;        // of the logits, or -1
    int hidden;     // how many of the tokens that are listed are not picked
};

/// Rows of float32 at a stride.
struct Matrix {
    float* data;
    int stride;
    int width;
};
DEVICE float* row_of(const Matrix& m, int row) { return m.data + (s64)row * m.stride; }
