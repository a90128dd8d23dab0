// Copies of many bytes from global to shared memory, that a warp asks for and others wait for: a barrier counts their bytes on 9.0; before, the lanes copy.
#pragma once
#include "tensor.h"
#if !defined(EMULATED) && __CUDA_ARCH__ >= 900
#include "barriers.h"

/// Begins a copy, or none of no bytes. Addresses and bytes are multiples of sixteen. The block meets between this and `await`.
DEVICE void bring(char* to, const u8* from, int bytes, u64* barrier) {
    if ((THREAD & 31) != 0) return;
    barrier_init(shared_address(barrier), 1);
    barriers_ready();
    barrier_expect(shared_address(barrier), bytes);
    if (bytes > 0) copy_bulk(shared_address(to), from, bytes, shared_address(barrier));
}
DEVICE void await(u64* barrier) { barrier_wait(shared_address(barrier), 0); }
#else
DEVICE void bring(char* to, const u8* from, int bytes, u64*) {
    for (int i = (THREAD & 31) * 16; i < bytes; i += 32 * 16) copy_async(to + i, from + i, true);
    commit_copies();
}
DEVICE void await(u64*) {
    wait_copies<0>();
    sync();
}
#endif
