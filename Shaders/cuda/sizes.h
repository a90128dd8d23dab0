// Sizes of a model that stand in a kernel as constants: the host writes them into the PTX before it is compiled, so that loops have fixed ends and no
// instruction is spent on strides. Backends/Cuda/KernelSizes.cs has the same names in the same order.
#pragma once
#include "common.h"

#define FOR_SIZES(DO) \
    DO(Columns) DO(Outputs) DO(Warps) DO(Split) DO(SplitInverse) DO(Abreast) DO(Steps) DO(Units) DO(Depth) DO(PerRound) DO(Spans) DO(Rounds) DO(TileRows) DO(Sequences) DO(Input) DO(Selected) DO(Taps) DO(ConvFirst) DO(ConvCount) \
    DO(Channels) DO(Rank) DO(States) DO(Normed) DO(HeadDim) DO(HeadInverse) DO(HeadsOfGroup) DO(GroupInverse)

#ifdef EMULATED
enum SizeName {
#define NAME(name) Size##name,
    FOR_SIZES(NAME)
};
extern "C" int emulated_sizes[64];
#define SIZE_OF(name) DEVICE int size_##name() { return emulated_sizes[Size##name]; }
#else
#define SIZE_OF(name) DEVICE int size_##name() { int v; asm("mov.u32 %0, SIZE_" #name ";" : "=r"(v)); return v; }
#endif
FOR_SIZES(SIZE_OF)
#define SIZE(name) size_##name()

/// n ÷ d, by a size ⌈2³² ÷ d⌉: a size is no constant to the compiler that would make this of a division.
DEVICE int divide(int n, int inverse) { return inverse == 0 ? n : (int)((u64)(u32)n * (u32)inverse >> 32); }

#ifdef EMULATED
DEVICE float max_of(float x, float y) { return x > y ? x : y; }
DEVICE float reciprocal_flushed(float x) { return 1.f / x; }
DEVICE void store_if(bool there, float* p, float v) { if (there) *p = v; }
DEVICE U4 load_ahead(const void* p) { return *(const U4*)p; }
DEVICE float load_fresh(const float* p) { return *p; }
DEVICE F2 load_fresh2_if(bool there, const float* p) { return there ? *(const F2*)p : F2{0, 0}; }
DEVICE F4 load_fresh4_if(bool there, const float* p) { return there ? *(const F4*)p : F4{0, 0, 0, 0}; }
DEVICE F4 load_fresh4(const float* p) { return *(const F4*)p; }
DEVICE void sync_warp() { emulated_exchange(0, 0); }
/// Over a warp, of numbers that are not negative.
DEVICE float warp_largest(float v) {
    v = max_of(v, exchange(v, 16)); v = max_of(v, exchange(v, 8)); v = max_of(v, exchange(v, 4)); v = max_of(v, exchange(v, 2));
    return max_of(v, exchange(v, 1));
}
#else
DEVICE float max_of(float x, float y) { float r; asm("max.f32 %0, %1, %2;" : "=f"(r) : "f"(x), "f"(y)); return r; }
/// Of numbers of at least 1: a result too small for a normal float is zero.
DEVICE float reciprocal_flushed(float x) { float r; asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x)); return r; }
/// A store without a branch, into which the compiler would move what leads to it.
DEVICE void store_if(bool there, float* p, float v) {
    asm volatile("{ .reg .pred p; setp.ne.u32 p, %0, 0; @p st.global.f32 [%1], %2; }" :: "r"((u32)there), "l"(p), "f"(v) : "memory");
}
/// Weights, once: not by the read-only path, whose loads ptxas moves past the wait.
DEVICE U4 load_ahead(const void* p) {
    U4 v;
    asm volatile("ld.global.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(p) : "memory");
    return v;
}
/// What a kernel that may still have run beside this one has written: past the first cache.
DEVICE float load_fresh(const float* p) { float v; asm volatile("ld.global.cg.f32 %0, [%1];" : "=f"(v) : "l"(p) : "memory"); return v; }
/// The same, or zeros, without a branch.
DEVICE F2 load_fresh2_if(bool there, const float* p) {
    F2 v = { 0, 0 };
    asm volatile("{ .reg .pred p; setp.ne.u32 p, %2, 0; @p ld.global.cg.v2.f32 {%0,%1}, [%3]; }" : "+f"(v.x), "+f"(v.y) : "r"((u32)there), "l"(p) : "memory");
    return v;
}
DEVICE F4 load_fresh4_if(bool there, const float* p) {
    F4 v = { 0, 0, 0, 0 };
    asm volatile("{ .reg .pred p; setp.ne.u32 p, %4, 0; @p ld.global.cg.v4.f32 {%0,%1,%2,%3}, [%5]; }"
        : "+f"(v.x), "+f"(v.y), "+f"(v.z), "+f"(v.w) : "r"((u32)there), "l"(p) : "memory");
    return v;
}
DEVICE F4 load_fresh4(const float* p) {
    F4 v;
    asm volatile("ld.global.cg.v4.f32 {%0,%1,%2,%3}, [%4];" : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w) : "l"(p) : "memory");
    return v;
}
DEVICE void sync_warp() { asm volatile("bar.warp.sync 0xffffffff;" ::: "memory"); }
/// Over a warp, of numbers that are not negative: their bits are in the same order.
DEVICE float warp_largest(float v) {
    u32 r;
    asm volatile("redux.sync.max.u32 %0, %1, 0xffffffff;" : "=r"(r) : "r"(__builtin_bit_cast(u32, v)));
    return __builtin_bit_cast(float, r);
}
#endif

// As in common.h, in fewer instructions one after the other.
DEVICE float quick_silu(float x) { return x * reciprocal_flushed(1.f + exp2_fast(-x * Log2E)); }
DEVICE float quick_softplus(float x) {
    float u = exp2_fast(__builtin_fabsf(x) * -Log2E), s = u * reciprocal_flushed(2.f + u), q = s * s, r = q * q;
    // The series of common.h, by its even and its odd terms.
    float even = ((1.f / 13 * r + 1.f / 9) * r + 1.f / 5) * r + 1.f, odd = ((1.f / 15 * r + 1.f / 11) * r + 1.f / 7) * r + 1.f / 3;
    return max_of(x, 0.f) + 2.f * s * (even + q * odd);
}
