// Tensor cores and asynchronous copies of compute capability 8.0.
#pragma once
#include "halves.h"

#ifdef EMULATED
static inline void bytes_to_halves(u32* to, u32 bytes, u32 scale) {
    for (int i = 0; i < 4; i++) ((u16*)to)[i] = float_to_half((float)(s8)(bytes >> 8 * i) * half_to_float(scale));
}
template<class Type> inline u32 pack(float x, float y, Type) { return Type::round(x) | (u32)Type::round(y) << 16; }
#else
/// Sixteen bytes from global to shared memory, or sixteen zeros.
DEVICE void copy_async(void* to, const void* from, bool there) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" :: "r"(shared_address(to)), "l"(from), "r"(there ? 16 : 0) : "memory");
}
/// Four bytes.
DEVICE void copy_word_async(void* to, const void* from) { asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" :: "r"(shared_address(to)), "l"(from) : "memory"); }
DEVICE void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template<int Left> TEMPLATE_DEVICE void wait_copies() { asm volatile("cp.async.wait_group %0;" :: "n"(Left) : "memory"); }
/// Four matrices of 8 × 8 halves, whose rows the lanes name in eights.
DEVICE void load_matrices(u32 to[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
        : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3]) : "r"(shared_address(row)) : "memory");
}
/// The same, each matrix transposed.
DEVICE void load_transposed(u32 to[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
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
/// Four signed bytes, times a half, as halves: the bytes' place in a half whose steps are ones, less what that half is.
DEVICE void bytes_to_halves(u32* to, u32 bytes, u32 scale) {
    asm("{ .reg .b32 p, q, s; xor.b32 p, %2, 0x80808080; prmt.b32 q, p, 0x64646464, 0x4342; prmt.b32 p, p, 0x64646464, 0x4140; prmt.b32 s, %3, 0, 0x1010;"
        " sub.rn.f16x2 p, p, %4; sub.rn.f16x2 q, q, %4; mul.rn.f16x2 %0, p, s; mul.rn.f16x2 %1, q, s; }"
        : "=r"(to[0]), "=r"(to[1]) : "r"(bytes), "r"(scale), "r"(0x64806480));
}
/// Two floats as halves.
DEVICE u32 pack(float x, float y, Half) { u32 r; asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(y), "f"(x)); return r; }
DEVICE u32 pack(float x, float y, Bfloat) { u32 r; asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(y), "f"(x)); return r; }
#endif

/// Two floats as sums: the nearest halves, and those of what is left.
struct Split { u32 high, low; };
template<class Type> TEMPLATE_DEVICE Split split(float x, float y) {
    u32 high = pack(x, y, Type());
    return Split{high, pack(x - Type::widen(high), y - Type::widen(high >> 16), Type())};
}
