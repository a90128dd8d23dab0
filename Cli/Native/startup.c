/*
 * What has to happen before managed code can run. Linked into the published Linux executables.
 *
 * 1. On x86-64, code compiled for x86-64-v3 dies with SIGABRT inside the runtime on an older processor, before Main.
 *    The constructor here runs earlier and says in words what is missing (exit code 3).
 * 2. Weights are read through a memory map. When the file behind it shrinks, the kernel raises SIGBUS in whatever
 *    thread touches a lost page; managed code cannot catch that. The handler says so in words (exit code 1). A driver's library
 *    that ends too soon does the same to whoever loads it.
 * 3. Where memory is limited so that the runtime cannot even start, it ends without a word (exit code 255, or a fault); the words are
 *    here (exit code 1).
 * 4. A file that outgrows "ulimit -f" is an error of the write, which the program handles, not the end of the process (SIGXFSZ).
 * 5. "Unhandled exception. " is what the runtime says before it knows whether it can say more; alone it is no sentence, and is held back.
 * 6. A standard stream that the caller closed (">&-") becomes /dev/null: otherwise the next file that is opened takes its number,
 *    and what is said to the user lands in that file. Standard output gets it for reading only: a result that is lost is an error.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* Precondition: text is a zero-terminated string. Only async-signal-safe calls below (signal-safety(7)). */
static void say(const char *text)
{
    size_t length = strlen(text);
    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, text, length);
        if (written <= 0)
            return;
        text += written;
        length -= (size_t)written;
    }
}

/* The number in base 16 that *text begins with; *text goes on behind it. */
static uintptr_t take_hex(const char **text)
{
    uintptr_t value = 0;
    for (;; (*text)++) {
        char c = **text;
        if (c >= '0' && c <= '9')
            value = value * 16 + (uintptr_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value * 16 + (uintptr_t)(c - 'a' + 10);
        else
            return value;
    }
}

/* Whether a path is that of a shared library: "libx.so", "libx.so.1", and what the kernel says of one that was deleted; "x.song.gguf" is none. */
static int is_library(const char *path)
{
    for (const char *at = path; (at = strstr(at, ".so")) != NULL;) {
        at += 3;
        if (*at == 0 || *at == ' ' || (*at == '.' && at[1] >= '0' && at[1] <= '9'))
            return 1;
    }
    return 0;
}

/* The path of the library that is mapped at an address, in line, cut to what that holds and without control characters; NULL where something else is mapped. */
static const char *library_at(uintptr_t address, char *line, size_t room)
{
    int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    char piece[1024];
    ssize_t count = 0, next = 0;
    const char *found = NULL;
    while (maps >= 0 && (next < count || (next = 0, count = read(maps, piece, sizeof piece)) > 0)) {
        char c = piece[next++];
        if (c != '\n') {
            if (length < room - 1)
                line[length++] = (unsigned char)c < ' ' || c == 127 ? '?' : c;
            continue;
        }
        line[length] = 0;
        length = 0;
        const char *at = line;
        uintptr_t from = take_hex(&at), to = *at == '-' ? (at++, take_hex(&at)) : 0;
        if (address < from || address >= to)
            continue;
        const char *path = strchr(at, '/');
        found = path != NULL && is_library(path) ? path : NULL;
        break;
    }
    if (maps >= 0)
        close(maps);
    return found;
}

static void on_bus_error(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    static char busy;
    while (__atomic_exchange_n(&busy, 1, __ATOMIC_RELAXED))
        pause();   /* another thread has met the end of the file too, and is saying so */
    char line[1024];
    const char *library = info->si_code == BUS_ADRERR ? library_at((uintptr_t)info->si_addr, line, sizeof line) : NULL;
    if (library != NULL) {
        say("mambart: the library '");
        say(library);
        say("' ends too soon, as a damaged one does; install what it belongs to anew, or give --backend cpu, which loads no driver\n");
        _exit(1);
    }
    if (info->si_code == BUS_ADRERR) {
        say("mambart: the model file was changed or truncated while it was in use; "
            "start again with a stable file (replace models by rename, not by writing over them)\n");
        _exit(1);
    }
    /* Any other bus error (misalignment, failing memory) keeps its usual end: a core dump. */
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* What the runtime said last, if it is the beginning of a report. */
static const char *held;

static void say_held(void)
{
    const char *text = held;
    held = NULL;
    if (text != NULL)
        say(text);
}

/* Takes the place of the runtime's own, by the linker's --wrap. */
void __real_SystemNative_LogError(unsigned char *bytes, int count);
void __wrap_SystemNative_LogError(unsigned char *bytes, int count);
void __wrap_SystemNative_LogError(unsigned char *bytes, int count)
{
    static const char beginning[] = "Unhandled exception. ";
    say_held();
    if (count == (int)sizeof beginning - 1 && memcmp(bytes, beginning, sizeof beginning - 1) == 0)
        held = beginning;
    else
        __real_SystemNative_LogError(bytes, count);
}

static void end_without_memory(void)
{
    say("mambart: there is not enough memory; allow more (ulimit -v, DOTNET_GCHeapHardLimit, the limit of the container)\n");
    _exit(1);
}

static int address_space_is_limited(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

/*
 * The runtime hands on the faults that are not its own. Main listens for SIGINT first of all: while nobody does, the runtime is
 * starting. Later, where "ulimit -v" makes the range small that .NET 10's collector manages, it writes past its tables when that
 * range is used up.
 */
static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    struct sigaction interrupt;
    (void)info;
    (void)context;
    if ((sigaction(SIGINT, NULL, &interrupt) == 0 && interrupt.sa_handler == SIG_DFL) || address_space_is_limited())
        end_without_memory();
    signal(signal_number, SIG_DFL); /* the fault happens again, with its usual end */
}

/* Where memory is so short that managed code cannot even report it, the runtime aborts; other aborts keep their usual end. */
static void on_abort(int signal_number, siginfo_t *info, void *context)
{
    const size_t little = (size_t)64 << 20;
    (void)info;
    (void)context;
    if (mmap(NULL, little, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
        end_without_memory();
    say_held();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

#ifdef __GLIBC__
/* The program itself never ends with 255, so this is the runtime that gave up before it. */
static void on_end(int status, void *unused)
{
    (void)unused;
    if ((status & 0xFF) == 0xFF)
        end_without_memory();
}
#endif

static void fill_closed_streams(void)
{
    for (int descriptor = 0; descriptor <= 2; descriptor++)
        if (fcntl(descriptor, F_GETFD) == -1)
            (void)open("/dev/null", descriptor == STDOUT_FILENO ? O_RDONLY : O_RDWR); /* takes the lowest free number, which is this one */
}

static void watch(int signal_number, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handler;
    /* SA_ONSTACK: the runtime gives its threads alternative stacks; use them where a stack may be exhausted. */
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | flags;
    sigemptyset(&action.sa_mask);
    sigaction(signal_number, &action, NULL);
}

#ifdef MAMBART_NEEDS_X86_64_V3
#include <cpuid.h>

static int has_lzcnt(void)
{
    unsigned int eax, ebx, ecx, edx;
    return __get_cpuid(0x80000001u, &eax, &ebx, &ecx, &edx) && (ecx & (1u << 5)) != 0;
}

static int has_leaf1_ecx(unsigned int bit)
{
    unsigned int eax, ebx, ecx, edx;
    return __get_cpuid(1u, &eax, &ebx, &ecx, &edx) && (ecx & (1u << bit)) != 0;
}

/* The AVX2 and FMA answers of __builtin_cpu_supports include that the system saves the wide registers. */
static void require_x86_64_v3(void)
{
    __builtin_cpu_init();
    const struct { const char *name; int present; } needed[] = {
        { " AVX2", __builtin_cpu_supports("avx2") },
        { " FMA", __builtin_cpu_supports("fma") },
        { " BMI1", __builtin_cpu_supports("bmi") },
        { " BMI2", __builtin_cpu_supports("bmi2") },
        { " LZCNT", has_lzcnt() },
        { " MOVBE", has_leaf1_ecx(22) },
        { " POPCNT", has_leaf1_ecx(23) },
        { " F16C", has_leaf1_ecx(29) },
    };
    const size_t count = sizeof needed / sizeof needed[0];
    int missing = 0;
    for (size_t i = 0; i < count; i++)
        missing |= !needed[i].present;
    if (!missing)
        return;

    say("mambart: this executable is built for x86-64-v3 processors; this one lacks");
    for (size_t i = 0; i < count; i++)
        if (!needed[i].present)
            say(needed[i].name);
    say(". Run it on a processor with AVX2 (2013 or later), or use the .NET build (dotnet mambart.dll).\n");
    _exit(3);
}
#endif

/* Priority 101 is the first that programs may use: before the constructors of the .NET runtime. */
__attribute__((constructor(101))) static void mambart_startup(void)
{
    fill_closed_streams();
#ifdef MAMBART_NEEDS_X86_64_V3
    require_x86_64_v3();
#endif
    watch(SIGBUS, on_bus_error, 0);
    watch(SIGSEGV, on_fault, 0);
    watch(SIGABRT, on_abort, 0);
    signal(SIGXFSZ, SIG_IGN);
#ifdef __GLIBC__
    on_exit(on_end, NULL);
#endif
}
