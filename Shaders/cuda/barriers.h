// Barriers in shared memory that count arrivals and the bytes of copies, and copies of many bytes that they count: compute capability 9.0.
#pragma once
#include "common.h"

DEVICE void barrier_init(u32 barrier, int arrivals) { asm volatile("mbarrier.init.shared.b64 [%0], %1;" :: "r"(barrier), "r"(arrivals) : "memory"); }
DEVICE void barriers_ready() { asm volatile("fence.mbarrier_init.release.cluster; fence.proxy.async.shared::cta;" ::: "memory"); }
/// Arrives, and lets the barrier wait for as many bytes of copies.
DEVICE void barrier_expect(u32 barrier, int bytes) { asm volatile("mbarrier.arrive.expect_tx.shared.b64 _, [%0], %1;" :: "r"(barrier), "r"(bytes) : "memory"); }
DEVICE void barrier_arrive(u32 barrier) { asm volatile("mbarrier.arrive.shared.b64 _, [%0];" :: "r"(barrier) : "memory"); }
DEVICE void barrier_wait(u32 barrier, int parity) {
    asm volatile("{ .reg .pred p; again: mbarrier.try_wait.parity.shared.b64 p, [%0], %1; @!p bra again; }" :: "r"(barrier), "r"(parity) : "memory");
}
/// Bytes from global to shared memory: addresses and bytes are multiples of sixteen.
DEVICE void copy_bulk(u32 to, const void* from, int bytes, u32 barrier) {
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" :: "r"(to), "l"(from), "r"(bytes), "r"(barrier) : "memory");
}
