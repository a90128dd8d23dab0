// Runs the threads of a block as fibers of the calling thread, block after block. x86-64, System V calling convention.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "emulation.h"
#include "fibers.h"

EmulatedThread emulated;
char* emulated_memory;

namespace {
constexpr int MostThreads = 1024, StackBytes = 64 << 10;
enum State { Ready, AtWarp, AtBlock, Done };
constexpr int MostShared = 32;
struct Warp { int arrived, alive, phase; float values[2][32]; alignas(16) char shared[2][32 * MostShared]; };

void* stacks[MostThreads];
State states[MostThreads];
Warp warps[MostThreads / 32];
int threads, current, arrived, alive;
void (*kernel)(void*);
void* arguments;
char* stackMemory;
void* schedulerStack;

extern "C" void switch_stacks(void** save, void* next);
asm(R"(
.text
.globl switch_stacks
.hidden switch_stacks
switch_stacks:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");

/// To the next thread that can go on, those of the same warp first.
void leave() {
    int from = current, next = -1, base = from & ~31;
    for (int i = 1; i <= 32 && next < 0; i++) {
        int at = base + ((from + i) & 31);
        if (at < threads && states[at] == Ready) next = at;
    }
    for (int i = 1; i < threads && next < 0; i++)
        if (states[(from + i) % threads] == Ready) next = (from + i) % threads;
    if (next == from) return;
    if (next < 0) {
        if (alive == 0) {
            void* unused;
            switch_stacks(&unused, schedulerStack);
        }
        fprintf(stderr, "emulation: block %d,%d waits for threads that have ended or wait elsewhere\n", emulated.blockX, emulated.blockY);
        abort();
    }
    current = emulated.thread = next;
    switch_stacks(&stacks[from], stacks[next]);
}

/// Copies of a thread that it has not waited for, oldest first, with the number of the group that each is in once that is committed.
struct Copy { void* to; const void* from; int bytes, group; };
constexpr int MostCopies = 512;
struct Copies { Copy* all; int count, groups; } copies[MostThreads];

void release_block() {
    arrived = 0;
    for (int i = 0; i < threads; i++)
        if (states[i] == AtBlock) states[i] = Ready;
}

void run_thread() {
    kernel(arguments);
    states[current] = Done;
    copies[current].count = copies[current].groups = 0;
    alive--;
    warps[current / 32].alive--;
    if (warps[current / 32].arrived > 0) {
        fprintf(stderr, "emulation: a thread ended while others of its warp exchange values\n");
        abort();
    }
    if (alive > 0 && arrived == alive) release_block();
    leave();
}
}

extern "C" void emulated_yield() {
    int from = current, next = from;
    for (int i = 1; i < threads && next == from; i++)
        if (states[(from + i) % threads] == Ready) next = (from + i) % threads;
    if (next == from) {
        fprintf(stderr, "emulation: block %d,%d waits for a barrier that nobody turns\n", emulated.blockX, emulated.blockY);
        abort();
    }
    current = emulated.thread = next;
    switch_stacks(&stacks[from], stacks[next]);
}

extern "C" void emulated_copy(void* to, const void* from, int bytes) {
    Copies& own = copies[current];
    if (!own.all) own.all = (Copy*)malloc(MostCopies * sizeof(Copy));
    if (own.count == MostCopies) {
        fprintf(stderr, "emulation: a thread has more than %d copies on their way\n", MostCopies);
        abort();
    }
    own.all[own.count++] = Copy{to, from, bytes, own.groups};
}

extern "C" void emulated_commit() { copies[current].groups++; }

extern "C" void emulated_await(int left) {
    Copies& own = copies[current];
    int done = 0;
    for (; done < own.count && own.all[done].group < own.groups - left; done++) {
        const Copy& copy = own.all[done];
        if (copy.from) memcpy(copy.to, copy.from, copy.bytes);
        else memset(copy.to, 0, copy.bytes);
    }
    own.count -= done;
    memmove(own.all, own.all + done, own.count * sizeof(Copy));
}

extern "C" void emulated_meet_group() {
    static int met[MostThreads / 128], times[MostThreads / 128];
    int group = current / 128, before = times[group];
    if (++met[group] < 128)
        while (times[group] == before) emulated_yield();
    else {
        met[group] = 0;
        times[group]++;
    }
}

namespace {
constexpr int MostBarriers = 16;
int at[MostBarriers], turns[MostBarriers];
}

extern "C" void emulated_arrive(int barrier, int count) {
    if (++at[barrier] < count) return;
    at[barrier] = 0;
    turns[barrier]++;
}

extern "C" void emulated_wait(int barrier, int count) {
    int before = turns[barrier];
    emulated_arrive(barrier, count);
    while (turns[barrier] == before) emulated_yield();
}

extern "C" void emulated_sync() {
    states[current] = AtBlock;
    if (++arrived == alive) release_block();
    leave();
}

namespace {
/// Waits for the other threads of the warp.
void meet(Warp& warp) {
    states[current] = AtWarp;
    if (++warp.arrived == warp.alive) {
        warp.arrived = 0;
        warp.phase ^= 1;
        for (int i = current & ~31; i < (current & ~31) + 32 && i < threads; i++)
            if (states[i] == AtWarp) states[i] = Ready;
    }
    leave();
}
}

extern "C" float emulated_exchange(float v, int mask) {
    Warp& warp = warps[current / 32];
    int lane = current & 31, phase = warp.phase;
    warp.values[phase][lane] = v;
    meet(warp);
    return warp.values[phase][lane ^ mask];
}

extern "C" const void* emulated_share(const void* own, int bytes) {
    Warp& warp = warps[current / 32];
    int lane = current & 31, phase = warp.phase;
    if (bytes > MostShared) abort();
    memcpy(warp.shared[phase] + lane * bytes, own, bytes);
    meet(warp);
    return warp.shared[phase];
}

void run_grid(void (*body)(void*), void* args, int gridX, int gridY, int blockThreads) {
    if (!stackMemory) stackMemory = (char*)malloc((size_t)MostThreads * StackBytes);
    kernel = body;
    arguments = args;
    threads = blockThreads;
    for (int y = 0; y < gridY; y++)
        for (int x = 0; x < gridX; x++) {
            emulated = EmulatedThread{0, threads, x, y, gridX};
            arrived = 0;
            alive = threads;
            for (int i = 0; i < threads; i++) {
                states[i] = Ready;
                void** top = (void**)(stackMemory + (size_t)(i + 1) * StackBytes - 64);   // 16-byte aligned before the return address is taken
                top[-1] = nullptr;
                top[-2] = (void*)run_thread;
                for (int k = 3; k <= 8; k++) top[-k] = nullptr;
                stacks[i] = top - 8;
            }
            for (int w = 0; w < (threads + 31) / 32; w++) warps[w] = Warp{0, threads - 32 * w < 32 ? threads - 32 * w : 32, 0, {}, {}};
            current = 0;
            switch_stacks(&schedulerStack, stacks[0]);
        }
}
