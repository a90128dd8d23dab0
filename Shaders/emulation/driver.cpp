// A driver of CUDA without a GPU: memory is the process's own, a kernel is the emulated one of the same name, a stream runs at once.
// Enough of libcuda for Backends/Cuda. It can be another device than it is, and fail, as tests ask by mock_* or by variables of the environment:
//   MAMBART_EMULATED_DEVICES, _VERSION (12080), _CAPABILITY (80), _MEMORY (bytes), and _FAIL=call:after[:code], such as cuLaunchKernel:3.
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "fibers.h"

#define API extern "C" __attribute__((visibility("default"))) int
typedef unsigned long long u64;
enum { Success = 0, InvalidValue = 1, OutOfMemory = 2, NotFound = 500 };

/// What the PTX of the running kernel has in the places of its sizes.
extern "C" __attribute__((visibility("default"))) int emulated_sizes[64];
int emulated_sizes[64];

namespace {
struct Module { char* text; };
constexpr int MostSizes = 64;
struct Function { void (*body)(void*); unsigned bytes, threads; int sizes[MostSizes]; };
struct Node { Node* next; int kind; Function* function; int gridX, gridY, threads; void *arguments, *to, *from; size_t bytes; int value; };
struct Graph { Node *first, **last; bool instantiated; };

thread_local Graph* capturing;
pthread_mutex_t device = PTHREAD_MUTEX_INITIALIZER;
size_t used, limit = (size_t)4 << 30;
long alive;   // handles and pieces of host memory that were not given back
char failing[64];
int failAfter = -1, failCode, lost, compileMilliseconds, devices = 1, version = 13000, capability = 80;
const int FirstFatal = 700, LastFatal = 719, Destroyed = 709;

/// Whether this call is the one that mock_fail asked to fail. Some codes end a device: every call after one fails as it did.
int failed(const char* call) {
    if (lost) return lost;
    if (failAfter < 0 || strcmp(call, failing) != 0 || failAfter-- > 0) return Success;
    if (failCode >= FirstFatal && failCode <= LastFatal) lost = failCode;
    return failCode;
}
void count(int by) { __atomic_fetch_add(&alive, by, __ATOMIC_RELAXED); }

__attribute__((constructor)) void read_environment() {
    if (const char* text = getenv("MAMBART_EMULATED_DEVICES")) devices = atoi(text);
    if (const char* text = getenv("MAMBART_EMULATED_VERSION")) version = atoi(text);
    if (const char* text = getenv("MAMBART_EMULATED_CAPABILITY")) capability = atoi(text);
    if (const char* text = getenv("MAMBART_EMULATED_MEMORY")) limit = (size_t)atoll(text);
    failCode = FirstFatal;
    if (const char* text = getenv("MAMBART_EMULATED_FAIL")) sscanf(text, "%63[^:]:%d:%d", failing, &failAfter, &failCode);
}
#define TRY(call) if (int code = failed(call)) return code

void execute(Node* n) {
    if (n->kind == 0) {
        pthread_mutex_lock(&device);   // the fibers and the kernels' shared memory are there once
        memcpy(emulated_sizes, n->function->sizes, sizeof emulated_sizes);
        run_grid(n->function->body, n->arguments, n->gridX, n->gridY, n->threads);
        pthread_mutex_unlock(&device);
    } else if (n->kind == 1) memcpy(n->to, n->from, n->bytes);
    else memset(n->to, n->value, n->bytes);
}
int submit(Node n) {
    if (!capturing) {
        execute(&n);
        return Success;
    }
    Node* kept = (Node*)malloc(sizeof(Node));
    *kept = n;
    if (n.kind == 0) kept->arguments = memcpy(malloc(n.function->bytes), n.arguments, n.function->bytes);
    kept->next = nullptr;
    *capturing->last = kept;
    capturing->last = &kept->next;
    return Success;
}
int copy(void* to, const void* from, size_t bytes) { return submit(Node{nullptr, 1, nullptr, 0, 0, 0, nullptr, to, (void*)from, bytes, 0}); }
}

extern "C" __attribute__((visibility("default"))) void mock_fail(const char* call, int after, int code) {
    strncpy(failing, call, sizeof failing - 1);
    failAfter = after;
    failCode = code;
    lost = Success;
}
extern "C" __attribute__((visibility("default"))) void mock_memory(size_t bytes) { limit = bytes; }
extern "C" __attribute__((visibility("default"))) void mock_compile_time(int milliseconds) { compileMilliseconds = milliseconds; }
extern "C" __attribute__((visibility("default"))) size_t mock_used() { return used; }
extern "C" __attribute__((visibility("default"))) long mock_alive() { return alive; }

API cuInit(unsigned) { TRY("cuInit"); return Success; }
API cuDriverGetVersion(int* v) { *v = version; return Success; }
API cuDeviceGetCount(int* n) { *n = devices; return Success; }
API cuDeviceGet(int* d, int i) { *d = i; return i < devices ? Success : 101; }
API cuDeviceGetName(char* s, int n, int) { strncpy(s, "Emulated", n); return Success; }
API cuDeviceGetAttribute(int* v, int a, int) { *v = a == 75 ? capability / 10 : a == 76 ? capability % 10 : a == 16 ? 4 : a == 97 ? 227 << 10 : 0; return Success; }
API cuDeviceTotalMem_v2(size_t* v, int) { *v = limit; return Success; }
API cuDevicePrimaryCtxRetain(void** c, int) { TRY("cuDevicePrimaryCtxRetain"); count(1); *c = (void*)1; return Success; }
API cuDevicePrimaryCtxRelease_v2(int) { count(-1); return Success; }
API cuDevicePrimaryCtxReset_v2(int) { lost = Destroyed; return Success; }
API cuCtxSetCurrent(void*) { if (lost == Destroyed) return Success; TRY("cuCtxSetCurrent"); return Success; }   // a driver does not mind
API cuCtxGetId(void*, unsigned long long* id) { TRY("cuCtxGetId"); *id = 1; return Success; }
API cuGetErrorName(int e, const char** s) { *s = e == OutOfMemory ? "CUDA_ERROR_OUT_OF_MEMORY" : e == NotFound ? "CUDA_ERROR_NOT_FOUND" : e == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS" : e == Destroyed ? "CUDA_ERROR_CONTEXT_IS_DESTROYED" : e == 719 ? "CUDA_ERROR_LAUNCH_FAILED" : "CUDA_ERROR_INVALID_VALUE"; return Success; }
API cuGetErrorString(int e, const char** s) { *s = e == OutOfMemory ? "out of memory" : e == NotFound ? "named symbol not found" : e == 700 ? "an illegal memory access was encountered" : e == Destroyed ? "context is destroyed" : e == 719 ? "unspecified launch failure" : "invalid argument"; return Success; }

API cuLinkCreate_v2(unsigned, int*, void**, void** state) { TRY("cuLinkCreate"); count(1); *state = calloc(1, sizeof(Module)); return Success; }
API cuLinkAddData_v2(void* state, int, void* data, size_t bytes, const char*, unsigned, int*, void**) {
    TRY("cuLinkAddData");
    usleep(1000 * compileMilliseconds);
    ((Module*)state)->text = (char*)memcpy(calloc(1, bytes + 1), data, bytes);
    return Success;
}
API cuLinkComplete(void* state, void** image, size_t* bytes) { *image = ((Module*)state)->text; *bytes = strlen((char*)*image) + 1; return Success; }
API cuLinkDestroy(void* state) { count(-1); free(((Module*)state)->text); free(state); return Success; }
API cuModuleLoadData(void** m, const void* image) { TRY("cuModuleLoadData"); count(1); Module* module = (Module*)malloc(sizeof(Module)); module->text = strdup((const char*)image); *m = module; return Success; }
API cuModuleUnload(void* m) { count(-1); free(((Module*)m)->text); free(m); return Success; }
API cuModuleGetFunction(void** f, void* m, const char* name) {
    char entry[160], size[160], threads[160];
    snprintf(entry, sizeof entry, ".entry %s(", name);
    snprintf(size, sizeof size, "%s_size", name);
    snprintf(threads, sizeof threads, "%s_threads", name);
    Dl_info own;
    dladdr((void*)cuInit, &own);
    void *self = dlopen(own.dli_fname, RTLD_NOW | RTLD_NOLOAD), *body = dlsym(self, name);
    if (!body || !strstr(((Module*)m)->text, entry)) return NotFound;
    Function* function = new Function{(void (*)(void*))body, *(unsigned*)dlsym(self, size), *(unsigned*)dlsym(self, threads), {}};
    char* text = ((Module*)m)->text;
    if (strncmp(text, "// sizes ", 9) == 0) {
        text += 9;
        for (int i = 0; i < MostSizes && *text != '\n'; i++) function->sizes[i] = (int)strtoul(text, &text, 10);
    }
    *f = function;
    return Success;
}

API cuMemAlloc_v2(u64* p, size_t bytes) {
    TRY("cuMemAlloc");
    if (used + bytes > limit) return OutOfMemory;
    char* block = (char*)aligned_alloc(256, (bytes + 256 + 255) / 256 * 256);
    *(size_t*)block = bytes;
    __atomic_fetch_add(&used, bytes, __ATOMIC_RELAXED);
    memset(block + 256, 0xcc, bytes);
    *p = (u64)block + 256;
    return Success;
}
API cuMemFree_v2(u64 p) { char* block = (char*)p - 256; __atomic_fetch_sub(&used, *(size_t*)block, __ATOMIC_RELAXED); free(block); return Success; }
API cuMemGetInfo_v2(size_t* free, size_t* total) { TRY("cuMemGetInfo"); *free = limit - used; *total = limit; return Success; }
API cuMemHostRegister_v2(void* p, size_t bytes, unsigned) { TRY("cuMemHostRegister"); if ((u64)p % 4096 || bytes % 4096) return InvalidValue; count(1); return Success; }
API cuMemHostUnregister(void*) { count(-1); return Success; }
API cuMemHostGetDevicePointer_v2(u64* device, void* p, unsigned) { TRY("cuMemHostGetDevicePointer"); *device = (u64)p; return Success; }
API cuMemcpyHtoDAsync_v2(u64 to, const void* from, size_t bytes, void*) { TRY("cuMemcpyHtoDAsync"); return copy((void*)to, from, bytes); }
API cuMemcpyDtoHAsync_v2(void* to, u64 from, size_t bytes, void*) { TRY("cuMemcpyDtoHAsync"); return copy(to, (void*)from, bytes); }
API cuMemcpyDtoDAsync_v2(u64 to, u64 from, size_t bytes, void*) { TRY("cuMemcpyDtoDAsync"); return copy((void*)to, (void*)from, bytes); }
API cuMemsetD8Async(u64 to, unsigned char value, size_t bytes, void*) { TRY("cuMemsetD8Async"); return submit(Node{nullptr, 2, nullptr, 0, 0, 0, nullptr, (void*)to, nullptr, bytes, value}); }

API cuStreamCreate(void** s, unsigned) { TRY("cuStreamCreate"); count(1); *s = (void*)1; return Success; }
API cuStreamDestroy_v2(void*) { count(-1); return Success; }
API cuStreamSynchronize(void*) { TRY("cuStreamSynchronize"); return Success; }
API cuEventCreate(void** e, unsigned) { TRY("cuEventCreate"); count(1); *e = (void*)1; return Success; }
API cuEventDestroy_v2(void*) { count(-1); return Success; }
API cuEventRecord(void*, void*) { return Success; }
API cuEventSynchronize(void*) { return Success; }
API cuEventElapsedTime(float* ms, void*, void*) { *ms = 1; return Success; }

API cuFuncSetAttribute(void*, int, int) { return Success; }
API cuLaunchKernel(void* f, unsigned gx, unsigned gy, unsigned, unsigned threads, unsigned, unsigned, unsigned, void*, void** parameters, void**) {
    TRY("cuLaunchKernel");
    Function* function = (Function*)f;
    if (gx == 0 || gy == 0 || gy > 65535 || threads == 0 || threads > function->threads) return InvalidValue;
    return submit(Node{nullptr, 0, function, (int)gx, (int)gy, (int)threads, parameters[0], nullptr, nullptr, 0, 0});
}
struct LaunchConfig { unsigned gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes; void *stream, *attributes; unsigned attributeCount; };
API cuLaunchKernelEx(const LaunchConfig* c, void* f, void** parameters, void** extra) {
    return cuLaunchKernel(f, c->gridX, c->gridY, 1, c->blockX, 1, 1, c->sharedBytes, c->stream, parameters, extra);
}
API cuTensorMapEncodeTiled(void* map, int, unsigned, u64 address, const u64* sizes, const u64* strides, const unsigned* box, const unsigned*, int, int, int, int) {
    TRY("cuTensorMapEncodeTiled");
    const u64 words[5] = { address, sizes[1], sizes[0], strides[0], box[0] | (u64)box[1] << 32 };    // an EmulatedMap
    memcpy(map, words, sizeof words);
    return Success;
}
API cuStreamBeginCapture_v2(void*, int) { TRY("cuStreamBeginCapture"); count(1); capturing = (Graph*)calloc(1, sizeof(Graph)); capturing->last = &capturing->first; return Success; }
API cuStreamEndCapture(void*, void** g) { *g = capturing; capturing = nullptr; return Success; }
API cuGraphExecDestroy(void* e) {
    count(-1);
    for (Node* n = ((Graph*)e)->first; n;) { Node* next = n->next; if (n->kind == 0) free(n->arguments); free(n); n = next; }
    free(e);
    return Success;
}
API cuGraphInstantiateWithFlags(void** e, void* g, u64) {
    TRY("cuGraphInstantiate");
    ((Graph*)g)->instantiated = true;   // the nodes pass to what is launched
    *e = g;
    return Success;
}
API cuGraphDestroy(void* g) { return ((Graph*)g)->instantiated ? Success : cuGraphExecDestroy(g); }
API cuGraphLaunch(void* e, void*) {
    TRY("cuGraphLaunch");
    for (Node* n = ((Graph*)e)->first; n; n = n->next) execute(n);
    return Success;
}
