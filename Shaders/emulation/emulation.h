// The names of common.h on a CPU: the threads of a block are fibers of one thread, so kernels can be run, and stepped through, without a GPU.
// For correctness only. Tensor cores are there in software, and what they and bulk copies do beside a thread is done at once.
#pragma once
#include <math.h>
#include <string.h>

#define DEVICE static inline
#define TEMPLATE_DEVICE inline
#define METHOD static inline
#define MEMBER inline
#define SHARED static
#define DYNAMIC_SHARED(name) alignas(128) static char name[228 << 10]
#define KERNEL(name, Arguments, threads) \
    static void name##_body(Arguments a); \
    extern "C" void name(void* a) { name##_body(*(Arguments*)a); } \
    extern "C" const unsigned name##_size = sizeof(Arguments), name##_threads = threads; \
    static void name##_body(Arguments a)

#define KERNEL_ROOMY KERNEL
#define KERNEL_BESIDE(name, Arguments, threads, blocks) KERNEL(name, Arguments, threads)
#define EARLY_KERNEL(name, Arguments, threads, ...) KERNEL(name, Arguments, threads)

typedef unsigned char u8;
typedef signed char s8;
typedef unsigned short u16;
typedef unsigned u32;
typedef unsigned long long u64;
typedef long long s64;

struct EmulatedThread { int thread, threads, blockX, blockY, blocksX; };
extern "C" EmulatedThread emulated;
extern "C" void emulated_sync();
extern "C" float emulated_exchange(float v, int mask);

#define THREAD emulated.thread
#define THREADS emulated.threads
#define BLOCK_X emulated.blockX
#define BLOCKS_X emulated.blocksX
#define BLOCK_Y emulated.blockY

DEVICE void wait_for_inputs() { }
DEVICE void start_dependents() { }
#define sync emulated_sync
DEVICE void meet(int) { sync(); }
extern "C" void emulated_arrive(int barrier, int threads);
extern "C" void emulated_wait(int barrier, int threads);
#define arrive_at emulated_arrive
#define wait_at emulated_wait
#define exchange emulated_exchange
DEVICE int sync_count(bool holds) {
    static int count;
    sync();
    if (THREAD == 0) count = 0;
    sync();
    count += holds;
    sync();
    int all = count;
    sync();
    return all;
}

DEVICE float exp2_fast(float x) { return exp2f(x); }
DEVICE float reciprocal(float x) { return 1.f / x; }
DEVICE float root_reciprocal(float x) { return 1.f / sqrtf(x) + x * 0.f; }
DEVICE float mul_rounded(float x, float y) { return x * y; }
DEVICE float add_rounded(float x, float y) { return x + y; }
DEVICE int round_int(float x) { return (int)nearbyintf(x); }
DEVICE s64 clock_nanoseconds() { static s64 time; return time += 1 << 30; }   // no time passes here
DEVICE int arrive(int* count) { return (*count)++; }   // blocks run one after the other
DEVICE int dot4(int x, int y, int c) {
    for (int i = 0; i < 4; i++) c += (int)(s8)(x >> 8 * i) * (int)(s8)(y >> 8 * i);
    return c;
}
DEVICE int dot4_unsigned(int x, int y, int c) {
    for (int i = 0; i < 4; i++) c += (int)(u8)(x >> 8 * i) * (int)(s8)(y >> 8 * i);
    return c;
}

/// What each lane of a warp holds, shown to all of them.
extern "C" const void* emulated_share(const void* own, int bytes);

/// A copy is done when its thread waits for the group that it was committed in, and not before.
extern "C" void emulated_copy(void* to, const void* from, int bytes);
extern "C" void emulated_commit();
extern "C" void emulated_await(int left);
static inline void copy_async(void* to, const void* from, bool there) { emulated_copy(to, there ? from : nullptr, 16); }
static inline void copy_word_async(void* to, const void* from) { emulated_copy(to, from, 4); }
static inline void commit_copies() { emulated_commit(); }
template<int Left> inline void wait_copies() { emulated_await(Left); }
static inline void load_matrices(u32 to[4], const void* row) {
    const void* const* rows = (const void* const*)emulated_share(&row, sizeof row);
    for (int m = 0; m < 4; m++) to[m] = ((const u32*)rows[8 * m + THREAD % 32 / 4])[THREAD % 4];
    emulated_share(&row, sizeof row);
}
static inline void load_transposed(u32 to[4], const void* row) {
    const u16* const* rows = (const u16* const*)emulated_share(&row, sizeof row);
    for (int m = 0; m < 4; m++) {
        const u16* const* matrix = rows + 8 * m + THREAD % 4 * 2;
        to[m] = matrix[0][THREAD % 32 / 4] | (u32)matrix[1][THREAD % 32 / 4] << 16;
    }
    emulated_share(&row, sizeof row);
}
/// The fragments of m16n8k16: a lane's part of a, b and the sums.
template<class Type> inline void multiply(float sums[4], const u32 a[4], u32 b0, u32 b1, Type) {
    u32 own[6] = { a[0], a[1], a[2], a[3], b0, b1 };
    const u32 (*all)[6] = (const u32 (*)[6])emulated_share(own, sizeof own);
    int lane = THREAD % 32;
    for (int i = 0; i < 4; i++) {
        int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
        for (int k = 0; k < 16; k++) {
            u32 x = all[row % 8 * 4 + k % 8 / 2][row / 8 + k / 8 * 2] >> 16 * (k % 2), w = all[column * 4 + k % 8 / 2][4 + k / 8] >> 16 * (k % 2);
            sums[i] += Type::widen(x) * Type::widen(w);
        }
    }
    emulated_share(own, sizeof own);
}

// What compute capability 9.0a has. A block's shared memory begins at address 0; a barrier is eight bytes there.
struct EmulatedBarrier { u8 expected, arrived, phase, unused; int bytes; };
/// What cuTensorMapEncodeTiled leaves.
struct EmulatedMap { u64 address, rows, columns, stride; u32 boxColumns, boxRows; };
extern "C" char* emulated_memory;
/// To the next thread that can go on.
extern "C" void emulated_yield();
/// Waits for the other threads of four warps.
extern "C" void emulated_meet_group();

static inline u32 shared_address(void* memory) {
    emulated_memory = (char*)memory;
    return 0;
}
static inline EmulatedBarrier* barrier_at(u32 barrier) { return (EmulatedBarrier*)(emulated_memory + barrier); }
static inline void barrier_turn(EmulatedBarrier* b) {
    if (b->arrived < b->expected || b->bytes > 0) return;
    b->arrived = 0;
    b->phase ^= 1;
}
static inline void barrier_init(u32 barrier, int arrivals) { *barrier_at(barrier) = EmulatedBarrier{(u8)arrivals, 0, 0, 0, 0}; }
static inline void barriers_ready() { }
static inline void barrier_expect(u32 barrier, int bytes) {
    barrier_at(barrier)->bytes += bytes;
    barrier_at(barrier)->arrived++;
}
static inline void barrier_arrive(u32 barrier) {
    barrier_at(barrier)->arrived++;
    barrier_turn(barrier_at(barrier));
}
static inline void barrier_wait(u32 barrier, int parity) {
    while (barrier_at(barrier)->phase == parity) emulated_yield();
}
/// Sixteen bytes of a tile lie where bits 7 to 9 of their address say.
static inline u32 swizzled(u32 address) { return address ^ (address >> 3 & 0x70); }
static inline void copy_box(u32 to, const void* map, int column, int row, u32 barrier) {
    const EmulatedMap& m = *(const EmulatedMap*)map;
    for (u32 r = 0; r < m.boxRows; r++)
        for (u32 c = 0; c < m.boxColumns; c++) {
            bool there = row + r < m.rows && column + c < m.columns;
            *(u16*)(emulated_memory + swizzled(to + r * 128 + c * 2)) = there ? ((const u16*)(m.address + (row + r) * m.stride))[column + c] : 0;
        }
    barrier_at(barrier)->bytes -= m.boxRows * m.boxColumns * 2;
    barrier_turn(barrier_at(barrier));
}
static inline void stores_ready() { }
static inline void multiply_fence() { }
static inline void commit_multiply() { }
template<int Left> inline void wait_multiply() { emulated_meet_group(); }   // all four warps have read what they multiply
template<int Registers> inline void give_registers() { }
template<int Registers> inline void take_registers() { }
/// sums += x [64, 16] · w [Columns, 16]ᵀ: a lane's part of the sums.
template<int Columns, class Type> struct Multiply {
    static float at(u64 tile, int row, int k) { return Type::widen(*(const u16*)(emulated_memory + swizzled(((u32)tile & 0x3fff) * 16 + row * 128 + k * 2))); }
    static void by(float* sums, u64 x, u64 w) {
        int row = (THREAD >> 5 & 3) * 16 + (THREAD & 31) / 4;
        float own[2][16];
        for (int k = 0; k < 16; k++) { own[0][k] = at(x, row, k); own[1][k] = at(x, row + 8, k); }
        for (int j = 0; j < Columns / 8; j++)
            for (int i = 0; i < 2; i++)
                for (int k = 0; k < 16; k++) {
                    float v = at(w, 8 * j + THREAD % 4 * 2 + i, k);
                    sums[4 * j + i] += own[0][k] * v;
                    sums[4 * j + 2 + i] += own[1][k] * v;
                }
    }
};
