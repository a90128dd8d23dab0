// How fast tensor cores multiply by wgmma: two groups of four warps, tiles that stay in shared memory.
// targets: sm_90a
#include "peak.h"
#include "wgmma.h"

static constexpr int Columns = 256, Depth = 64, Groups = 2, InFlight = 16;

KERNEL_ROOMY(wgmma_peak, ProductPeakArguments, Groups * 128) {
    DYNAMIC_SHARED(memory);
    u32 base = (shared_address(memory) + 1023) & ~1023u, skipped = base - shared_address(memory);
    int group = THREAD >> 7;
    for (int i = THREAD; i < (Groups * 64 + Columns) * Depth / 2; i += THREADS) *(u32*)(memory + skipped + i * 4) = some_halves(i);
    sync();
    stores_ready();
    u64 x = tile_at(base + group * 64 * Depth * 2), w = tile_at(base + Groups * 64 * Depth * 2);
    float sums[Columns / 2];
    UNROLL
    for (int i = 0; i < Columns / 2; i++) sums[i] = 0.f;
    for (int step = 0; step < a.steps; step++) {
        multiply_fence();
        UNROLL
        for (int k = 0; k < InFlight; k++) Multiply<Columns, Half>::by(sums, x + k % 4 * 2, w + k % 4 * 2);
        commit_multiply();
        wait_multiply<0>();
    }
    float all = 0.f;
    UNROLL
    for (int i = 0; i < Columns / 2; i++) all += sums[i];
    if (all == 1.5f) a.out[0] = all;
}
