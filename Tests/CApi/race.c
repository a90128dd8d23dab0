/* Threads that use, cancel and close whatever handles there are at the same time: race MODEL.gguf [ROUNDS]. Every call must end, and with a code that the header has for it. */
#define _POSIX_C_SOURCE 200809L
#include "mambart.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { Threads = 6, Places = 8, Kinds = 6, Prompt = 12, Codes = 14 };
enum { Models, Sessions, Chats, Generators, Hosts, Requests };

static uint64_t places[Kinds][Places];
static const char *path;
static long rounds = 4000, counts[Codes], wrong, fell;

/* Few models, so that the others belong together. */
static unsigned place(int kind, unsigned at) { return at % (kind == Models ? 2 : Places); }

static uint64_t get(int kind, unsigned at) { return __atomic_load_n(&places[kind][place(kind, at)], __ATOMIC_SEQ_CST); }

static uint64_t put(int kind, unsigned at, uint64_t handle) { return __atomic_exchange_n(&places[kind][place(kind, at)], handle, __ATOMIC_SEQ_CST); }

static mrt_status note(mrt_status code, const char *call)
{
    if (code < 0 || code >= Codes || code == MRT_ERROR_INTERNAL || code == MRT_ERROR_FORMAT || code == MRT_ERROR_MEMORY || code == MRT_ERROR_IO || code == MRT_ERROR_UNSUPPORTED) {
        __atomic_add_fetch(&wrong, 1, __ATOMIC_SEQ_CST);
        fprintf(stderr, "%s gave %d: %s\n", call, (int)code, mrt_last_error());
    }
    else __atomic_add_fetch(&counts[code], 1, __ATOMIC_SEQ_CST);
    return code;
}

#define NOTE(call) note((call), #call)

static mrt_status close_of(int kind, uint64_t handle)
{
    switch (kind) {
    case Models: return NOTE(mrt_model_close(handle));
    case Sessions: return NOTE(mrt_session_close(handle));
    case Chats: return NOTE(mrt_chat_close(handle));
    case Generators: return NOTE(mrt_generator_close(handle));
    case Hosts: return NOTE(mrt_host_close(handle));
    default: return NOTE(mrt_request_close(handle));
    }
}

/* A generator is closed while nobody is inside its model; any other handle at any time. */
static void finish(int kind, uint64_t handle)
{
    while (close_of(kind, handle) == MRT_ERROR_STATE) { }
}

static void keep(int kind, unsigned at, uint64_t handle)
{
    handle = put(kind, at, handle);
    if (handle) finish(kind, handle);
}

static int32_t take(void *user, const char *text, size_t bytes)
{
    __atomic_add_fetch((long *)user, text ? 0 : 1, __ATOMIC_SEQ_CST);
    return bytes > 40;
}

static void *work(void *given)
{
    unsigned seed = (unsigned)(size_t)given * 7919 + 1; long round; int32_t tokens[Prompt], token; size_t length; char text[64]; static char state[Threads][1 << 16];
    mrt_sampler_options sampling; mrt_sampler sampler; mrt_text_options few; mrt_model_options options; mrt_host_options manual; int i;
    for (i = 0; i < Prompt; i++) tokens[i] = 65 + i;
    NOTE(mrt_sampler_options_init(&sampling, sizeof sampling, 0));
    NOTE(mrt_sampler_create(&sampling, &sampler));
    NOTE(mrt_text_options_init(&few, sizeof few));
    few.max_tokens = 8; few.ignore_end = 1;
    NOTE(mrt_host_options_init(&manual, sizeof manual));
    manual.max_sequences = 3; manual.max_queue = 4;
    NOTE(mrt_model_options_init(&options, sizeof options));
    options.backend = "cpu"; options.threads = 2;
    for (round = 0; round < rounds; round++) {
        unsigned at = (unsigned)rand_r(&seed), what = (unsigned)rand_r(&seed) % 30; uint64_t made = 0, h; mrt_progress progress = { sizeof progress, 0, 0, 0, 0 }; int32_t ended; int64_t position;
        switch (what) {
        case 0: if (get(Models, at) == 0 && NOTE(mrt_model_open(path, &options, &made)) == MRT_OK) keep(Models, at, made); break;
        case 1: if (round % 16 == 0 && (h = put(Models, at, 0)) != 0) finish(Models, h); break;
        case 2: if (NOTE(mrt_session_start(get(Models, at >> 8), &made)) == MRT_OK) keep(Sessions, at, made); break;
        case 3: if ((h = put(Sessions, at, 0)) != 0) finish(Sessions, h); break;
        case 4: NOTE(mrt_session_feed(get(Sessions, at), tokens, Prompt, NULL)); break;
        case 5: NOTE(mrt_session_generate(get(Sessions, at), tokens, Prompt, sampler, 4)); break;
        case 6: case 7: case 8: NOTE(mrt_session_step(get(Sessions, at), 20, &progress)); break;
        case 9: NOTE(mrt_session_cancel(get(Sessions, at))); break;
        case 10: if (NOTE(mrt_session_fork(get(Sessions, at >> 8), &made)) == MRT_OK) keep(Sessions, at, made); break;
        case 11: NOTE(mrt_session_reset(get(Sessions, at))); break;
        case 12: NOTE(mrt_session_sample(get(Sessions, at), sampler, &token)); break;
        case 13: if (NOTE(mrt_session_save(get(Sessions, at), state[(size_t)given], sizeof state[0], &length)) == MRT_OK) NOTE(mrt_session_restore(get(Sessions, at >> 8), state[(size_t)given], length)); break;
        case 14: if (NOTE(mrt_chat_create(get(Models, at >> 8), sampler, NULL, NULL, &few, &made)) == MRT_OK) keep(Chats, at, made); break;
        case 15: if ((h = put(Chats, at, 0)) != 0) finish(Chats, h); break;
        case 16: NOTE(mrt_chat_begin(get(Chats, at), "Hi", 2)); break;
        case 17: NOTE(mrt_chat_next(get(Chats, at), text, sizeof text, &length)); break;
        case 18: NOTE(mrt_chat_cancel(get(Chats, at))); break;
        case 19: if (NOTE(mrt_generator_create(get(Sessions, at >> 8), sampler, &few, &made)) == MRT_OK) keep(Generators, at, made); break;
        case 20: NOTE(mrt_generator_run(get(Generators, at), tokens, Prompt, NULL, NULL)); break;
        case 21: if ((h = put(Generators, at, 0)) != 0) finish(Generators, h); break;
        case 22: manual.manual = round % 2 == 0; if (NOTE(mrt_host_create(get(Models, at >> 8), &manual, &made)) == MRT_OK) keep(Hosts, at, made); break;
        case 23: if ((h = put(Hosts, at, 0)) != 0) finish(Hosts, h); break;
        case 24: if (NOTE(mrt_host_submit(get(Hosts, at >> 8), tokens, Prompt, sampler, &few, round % 3 ? take : NULL, &fell, &made)) == MRT_OK) keep(Requests, at, made); break;
        case 25: case 26: NOTE(mrt_host_step(get(Hosts, at), 50, &progress)); break;
        case 27: NOTE(mrt_request_read(get(Requests, at), text, sizeof text, &length, &ended)); break;
        case 28: NOTE(mrt_request_cancel(get(Requests, at))); NOTE(mrt_session_position(get(Sessions, at), &position)); break;
        default: if ((h = put(Requests, at, 0)) != 0) finish(Requests, h); break;
        }
    }
    NOTE(mrt_sampler_close(sampler));
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[Threads]; size_t i; int kind, code;
    if (argc < 2) { fprintf(stderr, "race MODEL.gguf [ROUNDS]\n"); return 2; }
    path = argv[1];
    if (argc > 2) rounds = atol(argv[2]);
    for (i = 0; i < 2; i++) { uint64_t model; NOTE(mrt_model_open(path, NULL, &model)); put(Models, (unsigned)i, model); }
    for (i = 0; i < Threads; i++) pthread_create(&threads[i], NULL, work, (void *)i);
    for (i = 0; i < Threads; i++) pthread_join(threads[i], NULL);
    for (kind = Kinds - 1; kind >= 0; kind--)
        for (i = 0; i < Places; i++) { uint64_t h = put(kind, (unsigned)i, 0); if (h) finish(kind, h); }
    for (code = 0; code < Codes; code++) if (counts[code]) printf("code %2d: %ld\n", code, counts[code]);
    printf("%ld told their end; %ld wrong\n", fell, wrong);
    return wrong > 0;
}
