// Tensor cores and asynchronous copies of compute capability 8.0.
#pragma once
#include "halves.h"

#ifdef EMULATED
template<class Type> inline u32 pack(float x, float y, Type) { return Type::round(x) | (u32)Type::round(y) << 16; }
#else
DEVICE u32 shared_address(const void* p) { return (u32)(u64)(__attribute__((address_space(3))) const void*)p; }
/// Sixteen bytes from global to shared memory, or sixteen zeros.
DEVICE void copy_async(void* to, const void* from, bool there) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" :: "r"(shared_address(to)), "l"(from), "r"(there ? 16 : 0) : "memory");
}
DEVICE void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template<int Left> TEMPLATE_DEVICE void wait_copies() { asm volatile("cp.async.wait_group %0;" :: "n"(Left) : "memory"); }
/// Four matrices of 8 × 8 halves, whose rows the lanes name in eights.
DEVICE void load_matrices(u32 to[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
        : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3]) : "r"(shared_address(row)) : "memory");
}
/// sums += a [16, 16] · b [8, 16]ᵀ.
DEVICE void multiply(float sums[4], const u32 a[4], u32 b0, u32 b1, Half) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
DEVICE void multiply(float sums[4], const u32 a[4], u32 b0, u32 b1, Bfloat) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
/// Two floats as halves.
DEVICE u32 pack(float x, float y, Half) { u32 r; asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(y), "f"(x)); return r; }
DEVICE u32 pack(float x, float y, Bfloat) { u32 r; asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(y), "f"(x)); return r; }
#endif
