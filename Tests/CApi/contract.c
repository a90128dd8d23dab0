/* What mambart.h promises, tried from C: contract MODEL.gguf SCRATCH-FOLDER [THREADS], or what a GPU keeps: contract MODEL.gguf FOLDER 0 BACKEND. Prints what fails; the last line counts. */
#define _POSIX_C_SOURCE 200809L
#include "mambart.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int passed, failed;
static mrt_model_options usual;   /* how models are opened */

#define CHECK(condition) (check((condition) != 0, #condition, __LINE__))
#define OK(call) (check_code((call), MRT_OK, #call, __LINE__))
#define FAILS(code, call) (check_code((call), (code), #call, __LINE__))

static void check(int holds, const char *what, int line)
{
    if (holds) { passed++; return; }
    failed++;
    printf("FAILED, line %d: %s\n", line, what);
}

static void check_code(mrt_status found, mrt_status needed, const char *what, int line)
{
    if (found == needed && (found == MRT_OK || (mrt_last_error()[0] != 0 && mrt_last_error_code() == found))) { passed++; return; }
    failed++;
    printf("FAILED, line %d: %s gave %d, not %d: %s\n", line, what, (int)found, (int)needed, mrt_last_error());
}

static int32_t likeliest(const float *logits, int32_t count)
{
    int32_t best = 0, i;
    for (i = 1; i < count; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

/* ---- text that a callback is given ---- */

typedef struct { char text[4096]; size_t bytes; int pieces, end_after; } collected;

static int32_t collect(void *user, const char *text, size_t bytes)
{
    collected *c = user;
    if (c->bytes + bytes < sizeof c->text) { memcpy(c->text + c->bytes, text, bytes); c->bytes += bytes; c->text[c->bytes] = 0; }
    return ++c->pieces == c->end_after;
}

/* ---- handles and arguments ---- */

static void wrong_handles(void)
{
    static const uint64_t wrong[] = { 0, 1, 0xffffffffffffffffu, 0x100000000u, 0x7fffffff00000001u };
    size_t i;
    for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint64_t h = wrong[i], out;
        int64_t position; size_t length; int32_t token = 1, done; const float *logits; uint32_t seed;
        mrt_model_info info = { sizeof info, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
        FAILS(MRT_ERROR_HANDLE, mrt_model_close(h));
        FAILS(MRT_ERROR_HANDLE, mrt_model_describe(h, &info));
        FAILS(MRT_ERROR_HANDLE, mrt_model_name(h, NULL, 0, &length));
        FAILS(MRT_ERROR_HANDLE, mrt_encode(h, "a", 1, 0, NULL, 0, &length));
        FAILS(MRT_ERROR_HANDLE, mrt_decode(h, 1, 0, NULL, 0, &length));
        CHECK(mrt_ends_generation(h, 0) == 0);
        FAILS(MRT_ERROR_HANDLE, mrt_session_start(h, &out));
        FAILS(MRT_ERROR_HANDLE, mrt_session_close(h));
        FAILS(MRT_ERROR_HANDLE, mrt_session_feed(h, &token, 1, NULL));
        FAILS(MRT_ERROR_HANDLE, mrt_session_feed_batch(&h, &token, 1));
        FAILS(MRT_ERROR_HANDLE, mrt_session_logits(h, &logits));
        FAILS(MRT_ERROR_HANDLE, mrt_session_cancel(h));
        FAILS(MRT_ERROR_HANDLE, mrt_session_begin(h, &token, 1));
        FAILS(MRT_ERROR_HANDLE, mrt_session_step(h, 100, NULL));
        FAILS(MRT_ERROR_HANDLE, mrt_session_generate(h, &token, 1, h, 1));
        FAILS(MRT_ERROR_HANDLE, mrt_session_generated(h, 0, &token, 1, &length));
        FAILS(MRT_ERROR_HANDLE, mrt_session_give_up(h));
        FAILS(MRT_ERROR_HANDLE, mrt_session_position(h, &position));
        FAILS(MRT_ERROR_HANDLE, mrt_session_fork(h, &out));
        FAILS(MRT_ERROR_HANDLE, mrt_session_rewind(h, h));
        FAILS(MRT_ERROR_HANDLE, mrt_session_reset(h));
        FAILS(MRT_ERROR_HANDLE, mrt_session_save_size(h, &length));
        FAILS(MRT_ERROR_HANDLE, mrt_session_save(h, NULL, 0, &length));
        FAILS(MRT_ERROR_HANDLE, mrt_session_restore(h, "x", 1));
        FAILS(MRT_ERROR_HANDLE, mrt_session_sample(h, h, &token));
        FAILS(MRT_ERROR_HANDLE, mrt_sampler_clone(h, &out));
        FAILS(MRT_ERROR_HANDLE, mrt_sampler_reset(h));
        FAILS(MRT_ERROR_HANDLE, mrt_sampler_seed(h, &seed));
        FAILS(MRT_ERROR_HANDLE, mrt_sampler_close(h));
        FAILS(MRT_ERROR_HANDLE, mrt_generator_create(h, h, NULL, &out));
        FAILS(MRT_ERROR_HANDLE, mrt_generator_run(h, &token, 1, collect, NULL));
        FAILS(MRT_ERROR_HANDLE, mrt_generator_begin(h, &token, 1));
        FAILS(MRT_ERROR_HANDLE, mrt_generator_next(h, NULL, 0, &length));
        FAILS(MRT_ERROR_HANDLE, mrt_generator_settle(h));
        FAILS(MRT_ERROR_HANDLE, mrt_generator_stats(h, NULL));
        FAILS(MRT_ERROR_HANDLE, mrt_generator_close(h));
        FAILS(MRT_ERROR_HANDLE, mrt_chat_create(h, h, NULL, NULL, NULL, &out));
        FAILS(MRT_ERROR_HANDLE, mrt_chat_encode(h, NULL, NULL, 0, &token, 1, &length));
        FAILS(MRT_ERROR_HANDLE, mrt_chat_say(h, "a", 1, collect, NULL));
        FAILS(MRT_ERROR_HANDLE, mrt_chat_begin(h, "a", 1));
        FAILS(MRT_ERROR_HANDLE, mrt_chat_next(h, NULL, 0, &length));
        FAILS(MRT_ERROR_HANDLE, mrt_chat_retry(h));
        FAILS(MRT_ERROR_HANDLE, mrt_chat_undo(h, NULL));
        FAILS(MRT_ERROR_HANDLE, mrt_chat_reset(h));
        FAILS(MRT_ERROR_HANDLE, mrt_chat_fork(h, &out));
        FAILS(MRT_ERROR_HANDLE, mrt_chat_cancel(h));
        FAILS(MRT_ERROR_HANDLE, mrt_chat_save(h, "x"));
        FAILS(MRT_ERROR_HANDLE, mrt_chat_load(h, "x"));
        FAILS(MRT_ERROR_HANDLE, mrt_chat_stats(h, NULL));
        FAILS(MRT_ERROR_HANDLE, mrt_chat_close(h));
        FAILS(MRT_ERROR_HANDLE, mrt_host_create(h, NULL, &out));
        FAILS(MRT_ERROR_HANDLE, mrt_host_submit(h, &token, 1, h, NULL, NULL, NULL, &out));
        FAILS(MRT_ERROR_HANDLE, mrt_host_step(h, 100, NULL));
        FAILS(MRT_ERROR_HANDLE, mrt_host_stats(h, NULL));
        FAILS(MRT_ERROR_HANDLE, mrt_host_close(h));
        FAILS(MRT_ERROR_HANDLE, mrt_request_read(h, NULL, 0, &length, &done));
        FAILS(MRT_ERROR_HANDLE, mrt_request_cancel(h));
        FAILS(MRT_ERROR_HANDLE, mrt_request_stats(h, NULL));
        FAILS(MRT_ERROR_HANDLE, mrt_request_close(h));
    }
}

typedef struct { int calls, end_at; int64_t first_done, last_done, last_total; char last[32]; } heard;

static int32_t hear(void *user, const char *doing, int64_t done, int64_t total)
{
    heard *h = user;
    if (h->calls++ == 0) h->first_done = done;
    h->last_done = done; h->last_total = total;
    snprintf(h->last, sizeof h->last, "%s", doing);
    return h->calls == h->end_at;
}

/* Loading tells its beginning and its end on every backend, and ends where it is told to at either. */
static void progress_of_loading(const char *path)
{
    mrt_model_options options; mrt_model model = 0; heard h = { 0, 0, -1, 0, 0, "" };
    OK(mrt_model_options_init(&options, sizeof options));
    options.backend = "cpu"; options.progress = hear; options.user = &h;
    OK(mrt_model_open(path, &options, &model));
    CHECK(h.calls == 2 && h.first_done == 0 && h.last_done == h.last_total && h.last_total > 0 && strcmp(h.last, "ready") == 0);
    OK(mrt_model_close(model));
    model = 0;
    for (int at = 1; at <= 2; at++) {
        heard ends = { 0, at, -1, 0, 0, "" };
        options.user = &ends;
        FAILS(MRT_ERROR_CANCELLED, mrt_model_open(path, &options, &model));
        CHECK(ends.calls == at && model == 0);
    }
}

static void refuse_release(void *user, void *memory, size_t bytes) { (void)user; (void)memory; (void)bytes; }

static void wrong_arguments(mrt_model model, const char *path)
{
    mrt_model none = 0; mrt_session session; mrt_sampler sampler; mrt_model_options options; mrt_sampler_options sampling; size_t length;
    int32_t token = -1, outside = 0x7fffffff; mrt_model_info unset = { 0 }; mrt_memory memory = { sizeof memory, 0, 0, 0, 0, 0, 0 };
    FAILS(MRT_ERROR_ARGUMENT, mrt_model_open(NULL, NULL, &none));
    FAILS(MRT_ERROR_ARGUMENT, mrt_model_open(path, NULL, NULL));
    FAILS(MRT_ERROR_IO, mrt_model_open("/no/such/file.gguf", NULL, &none));
    FAILS(MRT_ERROR_FORMAT, mrt_model_open_memory("GGUFxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 32, NULL, &none));
    FAILS(MRT_ERROR_ARGUMENT, mrt_model_open_memory(path, 0, NULL, &none));
    CHECK(none == 0);
    OK(mrt_model_options_init(&options, sizeof options));
    options.backend = "abacus";
    FAILS(MRT_ERROR_ARGUMENT, mrt_model_open(path, &options, &none));
    options.backend = "cpu"; options.size = 4096;
    FAILS(MRT_ERROR_ARGUMENT, mrt_model_open(path, &options, &none));
    options.size = sizeof options; options.threads = -1;
    FAILS(MRT_ERROR_ARGUMENT, mrt_model_open(path, &options, &none));
    options.threads = 0; options.memory_limit = -1;
    FAILS(MRT_ERROR_ARGUMENT, mrt_model_open(path, &options, &none));
    options.memory_limit = 0; options.release = refuse_release;
    FAILS(MRT_ERROR_ARGUMENT, mrt_model_open(path, &options, &none));
    FAILS(MRT_ERROR_ARGUMENT, mrt_estimate(path, NULL, -1, &memory));
    FAILS(MRT_ERROR_ARGUMENT, mrt_estimate(path, NULL, 1, NULL));
    FAILS(MRT_ERROR_IO, mrt_estimate("/no/such/file.gguf", NULL, 1, &memory));
    FAILS(MRT_ERROR_ARGUMENT, mrt_model_options_init(&options, sizeof options + 1));
    FAILS(MRT_ERROR_ARGUMENT, mrt_model_options_init(&options, 3));
    /* an earlier header's structure is no longer than it says */
    memset(&options, 0x5a, sizeof options);
    OK(mrt_model_options_init(&options, offsetof(mrt_model_options, memory_limit)));
    CHECK(options.size == offsetof(mrt_model_options, memory_limit) && options.memory_limit == 0x5a5a5a5a5a5a5a5a && options.gpu_layers == -1);
    FAILS(MRT_ERROR_ARGUMENT, mrt_set_parallel_for(&options, NULL, NULL));
    OK(mrt_model_options_init(&options, offsetof(mrt_model_options, pipeline_folder)));
    OK(mrt_set_parallel_for(&options, NULL, NULL));
    OK(mrt_set_allocator(&options, NULL, NULL, NULL));
    OK(mrt_model_open(path, &options, &none));
    OK(mrt_model_close(none));
    OK(mrt_model_options_init(&options, sizeof options));
    options.state_folder = "";
    FAILS(MRT_ERROR_ARGUMENT, mrt_model_open(path, &options, &none));
    options.state_folder = path;   /* no folder */
    FAILS(MRT_ERROR_IO, mrt_model_open(path, &options, &none));
    FAILS(MRT_ERROR_ARGUMENT, mrt_model_describe(model, &unset));
    FAILS(MRT_ERROR_ARGUMENT, mrt_model_metadata(model, "no.such.key", NULL, 0, &length));
    FAILS(MRT_ERROR_ARGUMENT, mrt_encode(model, "a", 1, 64, NULL, 0, &length));
    FAILS(MRT_ERROR_ARGUMENT, mrt_encode(model, NULL, 1, 0, NULL, 0, &length));
    FAILS(MRT_ERROR_ARGUMENT, mrt_decode(model, outside, 0, NULL, 0, &length));
    OK(mrt_session_start(model, &session));
    FAILS(MRT_ERROR_ARGUMENT, mrt_session_feed(session, &token, 1, NULL));
    FAILS(MRT_ERROR_ARGUMENT, mrt_session_feed(session, &outside, 1, NULL));
    FAILS(MRT_ERROR_ARGUMENT, mrt_session_feed(session, NULL, 1, NULL));
    FAILS(MRT_ERROR_ARGUMENT, mrt_session_feed(session, &token, 0, NULL));
    FAILS(MRT_ERROR_ARGUMENT, mrt_session_logits(session, NULL));
    FAILS(MRT_ERROR_FORMAT, mrt_session_restore(session, "MRTSTATE and then nonsense that is long enough to be looked at as a whole, header and all", 88));
    OK(mrt_sampler_options_init(&sampling, sizeof sampling, 0));
    sampling.top_p = 7;
    FAILS(MRT_ERROR_ARGUMENT, mrt_sampler_create(&sampling, &sampler));
    FAILS(MRT_ERROR_HANDLE, mrt_model_close(session));
    OK(mrt_session_close(session));
    FAILS(MRT_ERROR_HANDLE, mrt_session_close(session));
    FAILS(MRT_ERROR_HANDLE, mrt_session_reset(session));
}

/* What is refused says why in a sentence of this library's, and nothing has happened. */
static void refused_in_words(mrt_model model, mrt_sampler sampler, const char *path, const int32_t *prompt, size_t count)
{
    mrt_model none = 0; mrt_model_options options; mrt_session session; mrt_generator generator; mrt_progress progress = { sizeof progress, 0, 0, 0, 0 }; mrt_host_options many; mrt_host host; int64_t position; size_t length; uint32_t size;
    OK(mrt_model_options_init(&options, sizeof options));
    options.backend = "cpu";
    for (size = 0; size < sizeof(void *); size += 3) { options.size = (uint32_t)offsetof(mrt_model_options, backend) + 1 + size; FAILS(MRT_ERROR_ARGUMENT, mrt_model_open(path, &options, &none)); }   /* a field is given whole */
    options.size = sizeof options; options.offset = -1;
    FAILS(MRT_ERROR_ARGUMENT, mrt_model_open(path, &options, &none));
    options.offset = 0; options.length = -1;
    FAILS(MRT_ERROR_ARGUMENT, mrt_model_open(path, &options, &none));
    FAILS(MRT_ERROR_ARGUMENT, mrt_set_allocator(NULL, NULL, NULL, NULL));
    FAILS(MRT_ERROR_ARGUMENT, mrt_set_parallel_for(NULL, NULL, NULL));
    options.length = 0; options.threads = 100000;
    FAILS(MRT_ERROR_ARGUMENT, mrt_model_open(path, &options, &none));
    CHECK(strchr(mrt_last_error(), '\n') == NULL && strstr(mrt_last_error(), "(Parameter") == NULL);
    FAILS(MRT_ERROR_ARGUMENT, mrt_model_open("", &usual, &none));
    FAILS(MRT_ERROR_ARGUMENT, mrt_model_metadata(model, "tokenizer.ggml.tokens", NULL, 0, &length));
    CHECK(none == 0);

    OK(mrt_session_start(model, &session));
    OK(mrt_session_begin(session, prompt, count));
    progress.size = 7;
    FAILS(MRT_ERROR_ARGUMENT, mrt_session_step(session, 1000000, &progress));
    OK(mrt_session_position(session, &position));
    CHECK(position == 0);
    progress.size = sizeof progress;
    FAILS(MRT_ERROR_ARGUMENT, mrt_session_step(session, -1, &progress));
    OK(mrt_session_step(session, INT64_MAX, &progress));
    CHECK(progress.prompt_tokens == (int32_t)count && progress.finished == 1 && progress.more == 0);
    OK(mrt_generator_create(session, sampler, NULL, &generator));
    OK(mrt_session_close(session));
    FAILS(MRT_ERROR_CLOSED, mrt_generator_run(generator, prompt, count, NULL, NULL));
    CHECK(strchr(mrt_last_error(), '\n') == NULL && strstr(mrt_last_error(), "session") != NULL);
    OK(mrt_generator_close(generator));

    OK(mrt_host_options_init(&many, sizeof many));
    many.max_sequences = INT32_MAX;
    FAILS(MRT_ERROR_ARGUMENT, mrt_host_create(model, &many, &host));
}

/* ---- what a session does ---- */

static void greedy(mrt_session session, mrt_sampler sampler, const int32_t *prompt, size_t count, int32_t *tokens, int wanted)
{
    int i;
    OK(mrt_session_feed(session, prompt, count, NULL));
    for (i = 0; i < wanted; i++) {
        OK(mrt_session_sample(session, sampler, &tokens[i]));
        OK(mrt_session_feed(session, &tokens[i], 1, NULL));
    }
}

static void sessions(mrt_model model, mrt_sampler sampler, const int32_t *prompt, size_t count, int32_t vocabulary)
{
    enum { Wanted = 12 };
    mrt_session a, b, c; int32_t first[Wanted], again[Wanted], token; const float *logits, *others; int64_t position; size_t bytes, written, made; void *state; int i, done = 0; mrt_progress progress = { sizeof progress, 0, 0, 0, 0 };
    OK(mrt_session_start(model, &a));
    FAILS(MRT_ERROR_ARGUMENT, mrt_session_logits(a, &logits));
    greedy(a, sampler, prompt, count, first, Wanted);
    OK(mrt_session_logits(a, &logits));
    token = likeliest(logits, vocabulary);
    OK(mrt_session_position(a, &position));
    CHECK(position == (int64_t)count + Wanted);

    /* a fork goes on alike, and its past comes back */
    OK(mrt_session_fork(a, &b));
    OK(mrt_session_logits(b, &others));
    CHECK(logits != others && memcmp(logits, others, (size_t)vocabulary * sizeof *logits) == 0);
    OK(mrt_session_feed(a, first, Wanted, &logits));
    OK(mrt_session_rewind(a, b));
    OK(mrt_session_position(a, &position));
    CHECK(position == (int64_t)count + Wanted);
    OK(mrt_session_logits(a, &logits));
    CHECK(likeliest(logits, vocabulary) == token);

    /* saved, restored elsewhere */
    OK(mrt_session_save_size(b, &bytes));
    state = malloc(bytes);
    FAILS(MRT_ERROR_BUFFER, mrt_session_save(b, state, bytes - 1, &written));
    CHECK(written == bytes);
    OK(mrt_session_save(b, state, bytes, &written));
    CHECK(written == bytes);
    OK(mrt_session_start(model, &c));
    ((unsigned char *)state)[bytes / 2] ^= 1;
    FAILS(MRT_ERROR_FORMAT, mrt_session_restore(c, state, bytes));
    ((unsigned char *)state)[bytes / 2] ^= 1;
    OK(mrt_session_restore(c, state, bytes));
    free(state);
    OK(mrt_session_feed(b, &token, 1, &logits));
    OK(mrt_session_feed(c, &token, 1, &others));
    CHECK(memcmp(logits, others, (size_t)vocabulary * sizeof *logits) == 0);

    /* in slices of time, and in a batch */
    OK(mrt_session_reset(c));
    OK(mrt_session_begin(c, prompt, count));
    FAILS(MRT_ERROR_STATE, mrt_session_feed(c, &token, 1, NULL));
    OK(mrt_session_feed(b, &token, 1, NULL));
    for (progress.more = 1, i = 0; progress.more && i < 100000; i++) { OK(mrt_session_step(c, 200, &progress)); done += progress.prompt_tokens; }
    CHECK(done == (int)count && progress.more == 0 && progress.finished == 1);
    FAILS(MRT_ERROR_STATE, mrt_session_step(c, 200, &progress));
    OK(mrt_session_reset(b));
    OK(mrt_session_feed(b, prompt, count, &logits));
    OK(mrt_session_logits(c, &others));
    CHECK(memcmp(logits, others, (size_t)vocabulary * sizeof *logits) == 0);
    { mrt_session both[2]; int32_t tokens[2]; both[0] = b; both[1] = c; tokens[0] = tokens[1] = first[0];
      OK(mrt_session_feed_batch(both, tokens, 2));
      OK(mrt_session_logits(b, &logits));
      OK(mrt_session_logits(c, &others));
      CHECK(likeliest(logits, vocabulary) == first[1] && likeliest(others, vocabulary) == first[1]);
      both[1] = b;
      FAILS(MRT_ERROR_ARGUMENT, mrt_session_feed_batch(both, tokens, 2));
      FAILS(MRT_ERROR_ARGUMENT, mrt_session_feed_batch(both, tokens, 0)); }

    /* generated in slices of time: what is generated at once, and given up within it */
    OK(mrt_session_reset(c));
    OK(mrt_session_generate(c, prompt, count, sampler, Wanted));
    for (progress.more = 1, done = 0, i = 0; progress.more && i < 100000; i++) { OK(mrt_session_step(c, 200, &progress)); done += progress.generated_tokens; }
    CHECK(done == Wanted);
    OK(mrt_session_generated(c, 0, again, Wanted, &made));
    CHECK(made == Wanted && memcmp(first, again, sizeof first) == 0);
    FAILS(MRT_ERROR_BUFFER, mrt_session_generated(c, 2, again, 1, &made));
    CHECK(made == Wanted - 2);
    OK(mrt_session_position(c, &position));
    CHECK(position == (int64_t)count + Wanted - 1);
    OK(mrt_session_generate(c, prompt, count, sampler, 4));
    OK(mrt_session_step(c, 0, NULL));
    FAILS(MRT_ERROR_STATE, mrt_session_save(c, NULL, 0, &written));
    OK(mrt_session_cancel(c));
    FAILS(MRT_ERROR_CANCELLED, mrt_session_step(c, 200, NULL));
    OK(mrt_session_position(c, &position));
    CHECK(position == (int64_t)count + Wanted - 1);
    OK(mrt_session_feed(c, &first[Wanted - 1], 1, &logits));
    CHECK(likeliest(logits, vocabulary) == token);

    /* equal seeds, equal tokens */
    OK(mrt_session_reset(b));
    greedy(b, sampler, prompt, count, again, Wanted);
    CHECK(memcmp(first, again, sizeof first) == 0);
    OK(mrt_session_close(a)); OK(mrt_session_close(b)); OK(mrt_session_close(c));
}

static void many_handles(mrt_sampler sampler)
{
    enum { Many = 1000 };
    static mrt_sampler made[Many];
    int i, round;
    for (round = 0; round < 3; round++) {
        for (i = 0; i < Many; i++) if (mrt_sampler_clone(sampler, &made[i]) != MRT_OK) CHECK(0);
        for (i = 0; i < Many; i++) if (mrt_sampler_close(made[i]) != MRT_OK || mrt_sampler_close(made[i]) != MRT_ERROR_HANDLE) CHECK(0);
    }
    CHECK(1);
}

/* ---- text ---- */

static void generation(mrt_model model, mrt_sampler sampler, const int32_t *prompt, size_t count)
{
    mrt_session session; mrt_generator generator; mrt_text_options options; static collected whole, polled, cut; char piece[64]; size_t length; int end = 0;
    const char *stop[1]; mrt_text_stats stats = { sizeof stats, 0, 0, 0, 0, 0, 0 };
    OK(mrt_text_options_init(&options, sizeof options));
    options.max_tokens = 24;
    OK(mrt_session_start(model, &session));
    OK(mrt_generator_create(session, sampler, &options, &generator));
    OK(mrt_generator_run(generator, prompt, count, collect, &whole));
    CHECK(whole.bytes > 20);
    OK(mrt_generator_stats(generator, &stats));
    CHECK(stats.stop == MRT_STOP_MAX_TOKENS && stats.generated_tokens == 24 && stats.prompt_tokens == (int32_t)count && stats.prompt_us > 0);
    OK(mrt_generator_settle(generator));
    OK(mrt_generator_close(generator));
    OK(mrt_session_reset(session));

    /* by polling, with too little room now and then */
    OK(mrt_generator_create(session, sampler, &options, &generator));
    OK(mrt_generator_begin(generator, prompt, count));
    while (!end) {
        mrt_status code = mrt_generator_next(generator, piece, polled.pieces % 2 ? sizeof piece : 0, &length);
        if (code == MRT_OK) { end = length == 0; collect(&polled, piece, length); }
        else { CHECK(code == MRT_ERROR_BUFFER && length > 0); polled.pieces++; }
    }
    CHECK(strcmp(whole.text, polled.text) == 0);
    OK(mrt_generator_close(generator));
    OK(mrt_session_reset(session));

    /* ended by the callback, and by a stop string */
    cut.end_after = 2;
    OK(mrt_generator_create(session, sampler, &options, &generator));
    OK(mrt_generator_run(generator, prompt, count, collect, &cut));
    CHECK(cut.pieces == 2);
    OK(mrt_generator_stats(generator, &stats));
    CHECK(stats.stop == MRT_STOP_CANCELLED);
    OK(mrt_generator_close(generator));
    OK(mrt_session_reset(session));
    { static char word[16]; static collected stopped;
      memcpy(word, whole.text + 8, 6);
      stop[0] = word; options.stop = stop; options.stop_count = 1;
      OK(mrt_generator_create(session, sampler, &options, &generator));
      OK(mrt_generator_run(generator, prompt, count, collect, &stopped));
      OK(mrt_generator_stats(generator, &stats));
      CHECK(stats.stop == MRT_STOP_STRING && strncmp(stopped.text, whole.text, stopped.bytes) == 0 && strstr(stopped.text, word) == NULL); }
    OK(mrt_session_cancel(session));
    { static collected nothing;
      OK(mrt_generator_run(generator, prompt, count, collect, &nothing));
      OK(mrt_generator_stats(generator, &stats));
      CHECK(stats.stop == MRT_STOP_CANCELLED && nothing.pieces == 0); }
    OK(mrt_generator_close(generator));
    OK(mrt_session_close(session));
}

static void conversation(mrt_model model, mrt_sampler sampler, const char *folder)
{
    mrt_chat chat, fork, other; mrt_text_options options; static collected first, again, forked; char file[512], piece[256]; size_t length; int32_t undone;
    mrt_text_stats stats = { sizeof stats, 0, 0, 0, 0, 0, 0 };
    OK(mrt_text_options_init(&options, sizeof options));
    options.max_tokens = 16;
    FAILS(MRT_ERROR_ARGUMENT, mrt_chat_create(model, sampler, "no-such-template", NULL, &options, &chat));
    OK(mrt_chat_create(model, sampler, NULL, "You tell stories.", &options, &chat));
    OK(mrt_chat_say(chat, "Hello!", 6, collect, &first));
    CHECK(first.bytes > 0);
    OK(mrt_chat_stats(chat, &stats));
    CHECK(stats.generated_tokens > 0);
    { mrt_message messages[2] = { { "system", "You tell stories." }, { "user", "Hello!" } }; int32_t tokens[256]; size_t count;   /* the same for a host or a session */
      OK(mrt_chat_encode(model, NULL, messages, 2, tokens, 256, &count));
      CHECK((int32_t)count == stats.prompt_tokens);
      FAILS(MRT_ERROR_BUFFER, mrt_chat_encode(model, NULL, messages, 2, tokens, count - 1, &length));
      CHECK(length == count);
      FAILS(MRT_ERROR_ARGUMENT, mrt_chat_encode(model, "no-such-template", messages, 2, tokens, 256, &count));
      messages[1].text = NULL;
      FAILS(MRT_ERROR_ARGUMENT, mrt_chat_encode(model, NULL, messages, 2, tokens, 256, &count)); }
    OK(mrt_chat_fork(chat, &fork));
    OK(mrt_chat_undo(chat, &undone));
    CHECK(undone == 1);
    OK(mrt_chat_undo(chat, &undone));
    CHECK(undone == 0);
    FAILS(MRT_ERROR_STATE, mrt_chat_retry(chat));
    OK(mrt_chat_begin(chat, "Hello!", 6));
    do {
        OK(mrt_chat_next(chat, piece, sizeof piece, &length));
        collect(&again, piece, length);
    } while (length > 0);
    CHECK(strcmp(first.text, again.text) == 0);
    snprintf(file, sizeof file, "%s/conversation.chat", folder);
    OK(mrt_chat_save(chat, file));
    OK(mrt_chat_create(model, sampler, NULL, NULL, &options, &other));
    OK(mrt_chat_load(other, file));
    FAILS(MRT_ERROR_IO, mrt_chat_load(other, "/no/such/file.chat"));
    OK(mrt_chat_say(other, "And then?", 9, collect, &forked));
    CHECK(forked.bytes > 0);
    OK(mrt_chat_reset(other));
    OK(mrt_chat_close(other)); OK(mrt_chat_close(fork)); OK(mrt_chat_close(chat));
    FAILS(MRT_ERROR_HANDLE, mrt_chat_say(chat, "x", 1, collect, &forked));
    remove(file);
}

/* A conversation that is closed in the midst of an answer gives all its states back: the budget has room for few. */
static void closed_within_answers(const char *path)
{
    mrt_model model; mrt_model_options options; mrt_model_info info = { sizeof info, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
    mrt_sampler sampler; mrt_chat chat; mrt_session sessions[5]; char piece[256]; size_t length; int round;
    options = usual;
    OK(mrt_model_open(path, &options, &model));
    OK(mrt_model_describe(model, &info));
    OK(mrt_model_close(model));
    options.state_budget = 8 * info.state_bytes;
    OK(mrt_model_open(path, &options, &model));
    OK(mrt_sampler_create(NULL, &sampler));
    for (round = 0; round < 8; round++) {
        OK(mrt_chat_create(model, sampler, NULL, NULL, NULL, &chat));
        OK(mrt_chat_begin(chat, "Hello!", 6));
        OK(mrt_chat_next(chat, piece, sizeof piece, &length));
        OK(mrt_chat_close(chat));
    }
    for (round = 0; round < 5; round++) OK(mrt_session_start(model, &sessions[round]));
    for (round = 0; round < 5; round++) OK(mrt_session_close(sessions[round]));
    OK(mrt_sampler_close(sampler));
    OK(mrt_model_close(model));
}

/* ---- threads ---- */

typedef struct { mrt_model model; mrt_session session; int32_t token; mrt_status last; long fed; } feeder;

static void *feed_until_it_fails(void *given)
{
    feeder *f = given;
    while ((f->last = mrt_session_feed(f->session, &f->token, 1, NULL)) == MRT_OK || f->last == MRT_ERROR_STATE) f->fed++;
    return NULL;
}

static void threads(const char *path, int32_t token)
{
    mrt_model model; mrt_model_options options; feeder one, two; pthread_t first, second; struct timespec moment = { 0, 50000000 };
    OK(mrt_model_options_init(&options, sizeof options));
    options.backend = "cpu"; options.threads = 1;
    OK(mrt_model_open(path, &options, &model));
    memset(&one, 0, sizeof one);
    one.model = model; one.token = token; two = one;
    OK(mrt_session_start(model, &one.session));
    OK(mrt_session_start(model, &two.session));
    pthread_create(&first, NULL, feed_until_it_fails, &one);
    pthread_create(&second, NULL, feed_until_it_fails, &two);
    nanosleep(&moment, NULL);
    OK(mrt_session_close(two.session));   /* while it is fed, or kept out */
    nanosleep(&moment, NULL);
    OK(mrt_model_close(model));
    pthread_join(first, NULL);
    pthread_join(second, NULL);
    CHECK(one.fed > 0 && (one.last == MRT_ERROR_CLOSED || one.last == MRT_ERROR_HANDLE));
    CHECK(two.last == MRT_ERROR_HANDLE || two.last == MRT_ERROR_CLOSED);
    FAILS(MRT_ERROR_CLOSED, mrt_session_reset(one.session));
    OK(mrt_session_close(one.session));
}

/* ---- memory: told before, held to a limit, the program's own ---- */

typedef struct { size_t held, calls, fails_at; } heap;

static void *heap_allocate(void *user, size_t bytes)
{
    heap *h = user;
    char *block;
    if (h->calls++ == h->fails_at) return NULL;
    block = malloc(bytes + 8);
    memset(block, 0xcc, bytes + 8);
    h->held += bytes;
    return block + 8;   /* no address that vectors like */
}

static void heap_release(void *user, void *memory, size_t bytes)
{
    heap *h = user;
    h->held -= bytes;
    free((char *)memory - 8);
}

static int64_t length_of(const char *path)
{
    FILE *file = fopen(path, "rb"); long bytes;
    if (!file) return -1;
    fseek(file, 0, SEEK_END);
    bytes = ftell(file);
    fclose(file);
    return bytes;
}

/* Two sessions, a prompt, a batch; the first code that is not MRT_OK. */
static mrt_status use_model(mrt_model model, const int32_t *prompt, size_t count, int32_t vocabulary, int32_t *likely)
{
    mrt_session both[2] = { 0, 0 }; int32_t tokens[2]; const float *logits; mrt_status code; int i;
    code = mrt_session_start(model, &both[0]);
    if (!code) code = mrt_session_start(model, &both[1]);
    for (i = 0; i < 2 && !code; i++) code = mrt_session_feed(both[i], prompt, count, &logits);
    if (!code) { *likely = tokens[0] = tokens[1] = likeliest(logits, vocabulary); code = mrt_session_feed_batch(both, tokens, 2); }
    for (i = 0; i < 2; i++) if (both[i]) OK(mrt_session_close(both[i]));
    return code;
}

static void memory(const char *path, const int32_t *prompt, size_t count, int32_t vocabulary, int32_t expected)
{
    mrt_model_options options; mrt_memory told = { sizeof told, 0, 0, 0, 0, 0, 0 }, many = { sizeof many, 0, 0, 0, 0, 0, 0 }; mrt_model model; heap h; mrt_status code; int32_t likely = -1; int part;
    options = usual;
    options.backend = "cpu"; options.chunk_tokens = 32;
    OK(mrt_estimate(path, &options, 2, &told));
    OK(mrt_estimate(path, &options, 1000000, &many));
    CHECK(told.file_bytes == length_of(path) && told.states_bytes > 0 && told.total_bytes == told.weight_bytes + told.states_bytes + told.scratch_bytes);
    CHECK(many.states_bytes > 100000 * told.states_bytes && many.weight_bytes == told.weight_bytes);

    /* that much is enough, and less is held */
    for (part = 1; part <= 8; part++) {
        options.memory_limit = told.total_bytes * part / 8;
        code = mrt_model_open(path, &options, &model);
        if (code == MRT_OK) {
            code = use_model(model, prompt, count, vocabulary, &likely);
            OK(mrt_model_close(model));
        }
        if (part == 8) CHECK(code == MRT_OK && likely == expected);
        else if (part < 4) CHECK(code == MRT_ERROR_MEMORY || code == MRT_ERROR_STATE_BUDGET);
        else CHECK(code == MRT_OK || code == MRT_ERROR_MEMORY || code == MRT_ERROR_STATE_BUDGET);
    }
    options.memory_limit = 0;

    /* an allocator that fails at any time */
    OK(mrt_set_allocator(&options, heap_allocate, heap_release, &h));
    for (memset(&h, 0, sizeof h), h.fails_at = 0; ; h.fails_at += 1 + h.fails_at / 4, h.calls = 0) {
        code = mrt_model_open(path, &options, &model);
        if (code == MRT_OK) {
            CHECK(h.held > 0);
            code = use_model(model, prompt, count, vocabulary, &likely);
            OK(mrt_model_close(model));
        }
        CHECK(h.held == 0);
        if (h.calls <= h.fails_at) break;
        CHECK(code == MRT_ERROR_MEMORY || code == MRT_ERROR_STATE_BUDGET);
    }
    CHECK(code == MRT_OK && likely == expected);
}

/* ---- threads of the program's ---- */

typedef struct { mrt_unit_fn unit; void *work; int32_t index; } job;

static void *run_job(void *given) { job *j = given; j->unit(j->work, j->index); return NULL; }

/* Calls on threads, but the last, which this one makes first; every seventh time it leaves them all out. */
static void run_jobs(void *user, int32_t count, mrt_unit_fn unit, void *work)
{
    job jobs[16]; pthread_t threads[16]; int32_t i;
    long *calls = user;
    if (++*calls % 7 == 0 || count > 16) return;
    for (i = 0; i < count; i++) { jobs[i].unit = unit; jobs[i].work = work; jobs[i].index = i; }
    for (i = 0; i + 1 < count && *calls % 50 == 0; i++) pthread_create(&threads[i], NULL, run_job, &jobs[i]);   /* threads cost: now and then */
    for (i = *calls % 50 ? 0 : count - 1; i < count; i++) run_job(&jobs[i]);
    for (i = 0; i + 1 < count && *calls % 50 == 0; i++) pthread_join(threads[i], NULL);
}

static mrt_model closed_within_work;
static mrt_host host_closed_within_work;

/* What waits for the run that asks for work cannot be called by it. */
static void run_and_close(void *user, int32_t count, mrt_unit_fn unit, void *work)
{
    int32_t i;
    if (++*(long *)user == 2) {
        FAILS(MRT_ERROR_STATE, mrt_host_close(host_closed_within_work));
        FAILS(MRT_ERROR_STATE, mrt_model_close(closed_within_work));
    }
    for (i = count - 1; i >= 0; i--) unit(work, i);
}

static void closing_within_work(const char *path, mrt_sampler sampler, const int32_t *prompt, size_t count)
{
    mrt_model_options options; mrt_host_options manual; mrt_text_options text; mrt_request request; mrt_text_stats stats = { sizeof stats, 0, 0, 0, 0, 0, 0 }; long calls = 0;
    options = usual;
    options.backend = "cpu"; options.threads = 2;
    OK(mrt_set_parallel_for(&options, run_and_close, &calls));
    OK(mrt_model_open(path, &options, &closed_within_work));
    OK(mrt_host_options_init(&manual, sizeof manual));
    OK(mrt_text_options_init(&text, sizeof text));
    manual.manual = 1; text.max_tokens = 3; text.ignore_end = 1;
    OK(mrt_host_create(closed_within_work, &manual, &host_closed_within_work));
    OK(mrt_host_submit(host_closed_within_work, prompt, count, sampler, &text, NULL, NULL, &request));
    OK(mrt_host_step(host_closed_within_work, 100000000, NULL));
    OK(mrt_request_stats(request, &stats));
    CHECK(calls > 2 && stats.generated_tokens == 3);
    OK(mrt_request_close(request)); OK(mrt_host_close(host_closed_within_work)); OK(mrt_model_close(closed_within_work));
}

static void lent_threads(const char *path, const int32_t *prompt, size_t count, int32_t vocabulary)
{
    mrt_model_options options; mrt_model models[2]; mrt_session sessions[2]; const float *logits[2]; long calls = 0; int i;
    options = usual;
    options.backend = "cpu";
    for (i = 0; i < 2; i++) {
        if (i == 1) { options.threads = 3; OK(mrt_set_parallel_for(&options, run_jobs, &calls)); }
        OK(mrt_model_open(path, &options, &models[i]));
        OK(mrt_session_start(models[i], &sessions[i]));
        OK(mrt_session_feed(sessions[i], prompt, count, &logits[i]));
    }
    CHECK(calls > 10 && memcmp(logits[0], logits[1], (size_t)vocabulary * sizeof(float)) == 0);
    for (i = 0; i < 2; i++) { OK(mrt_model_close(models[i])); OK(mrt_session_close(sessions[i])); }
}

/* ---- many answers at once ---- */

enum { Asked = 5 };

static int host_read(mrt_request request, collected *c)
{
    char piece[64]; size_t length; int32_t ended = 0; mrt_status code;
    do {
        code = mrt_request_read(request, piece, sizeof piece, &length, &ended);
        if (code == MRT_ERROR_BUFFER) { char *large = malloc(length); OK(mrt_request_read(request, large, length, &length, &ended)); collect(c, large, length); free(large); continue; }
        OK(code);
        if (code != MRT_OK) return 1;
        collect(c, piece, length);
    } while (length > 0 && !ended);
    return ended;
}

typedef struct { pthread_mutex_t lock; pthread_cond_t change; collected text; int ended; } told_text;

static int32_t tell(void *user, const char *text, size_t bytes)
{
    told_text *t = user;
    pthread_mutex_lock(&t->lock);
    if (text) collect(&t->text, text, bytes);
    else { t->ended++; pthread_cond_signal(&t->change); }
    pthread_mutex_unlock(&t->lock);
    return 0;
}

static void hosts(mrt_model model, mrt_sampler sampler, const int32_t *prompt, size_t count)
{
    static collected alone, read[Asked], beside; static told_text told[2]; mrt_text_options text; mrt_host_options options; mrt_host host, other; mrt_request requests[Asked], more[2];
    mrt_session session; mrt_generator generator; mrt_progress progress = { sizeof progress, 0, 0, 0, 0 }; mrt_host_load load = { sizeof load, 0, 0 };
    mrt_text_stats stats = { sizeof stats, 0, 0, 0, 0, 0, 0 }; size_t length; int32_t ended; int i, over = 0, steps = 0; long absorbed = 0, generated = 0, finished = 0;
    OK(mrt_text_options_init(&text, sizeof text));
    text.max_tokens = 24;
    OK(mrt_session_start(model, &session));
    OK(mrt_generator_create(session, sampler, &text, &generator));
    OK(mrt_generator_run(generator, prompt, count, collect, &alone));
    OK(mrt_generator_close(generator));

    /* driven by steps */
    OK(mrt_host_options_init(&options, sizeof options));
    options.manual = 1; options.deterministic = 1; options.max_sequences = 3; options.max_queue = 2;
    OK(mrt_host_create(model, &options, &host));
    FAILS(MRT_ERROR_STATE, mrt_host_create(model, &options, &other));
    FAILS(MRT_ERROR_ARGUMENT, mrt_host_submit(host, prompt, 0, sampler, &text, NULL, NULL, &more[0]));
    for (i = 0; i < Asked; i++) OK(mrt_host_submit(host, prompt, count, sampler, &text, NULL, NULL, &requests[i]));
    FAILS(MRT_ERROR_FULL, mrt_host_submit(host, prompt, count, sampler, &text, NULL, NULL, &more[0]));
    OK(mrt_host_stats(host, &load));
    CHECK(load.active == 0 && load.waiting == Asked);
    FAILS(MRT_ERROR_ARGUMENT, mrt_host_step(host, -1, NULL));
    for (progress.more = 1; over < Asked && steps < 1000000; steps++) {
        OK(mrt_host_step(host, 2000, &progress));
        absorbed += progress.prompt_tokens; generated += progress.generated_tokens; finished += progress.finished;
        if (steps == 1) { OK(mrt_session_reset(session)); OK(mrt_session_feed(session, prompt, count, NULL)); }   /* beside it */
        for (i = over = 0; i < Asked; i++) over += host_read(requests[i], &read[i]);
    }
    for (i = 0; i < Asked; i++) { CHECK(strcmp(read[i].text, alone.text) == 0); OK(mrt_request_stats(requests[i], &stats)); CHECK(stats.stop == MRT_STOP_MAX_TOKENS && stats.generated_tokens == 24); OK(mrt_request_close(requests[i])); }
    CHECK(absorbed == (long)count * Asked && generated == 24 * Asked && finished == Asked);
    OK(mrt_host_step(host, 0, &progress));
    CHECK(progress.more == 0);

    /* functions are told within the steps; not 0 ends a text, cancelling another, closing the third */
    beside.end_after = 1;
    told[0].ended = told[1].ended = 0;
    for (i = 0; i < 2; i++) { pthread_mutex_init(&told[i].lock, NULL); pthread_cond_init(&told[i].change, NULL); }
    OK(mrt_host_submit(host, prompt, count, sampler, &text, tell, &told[0], &requests[0]));
    OK(mrt_host_submit(host, prompt, count, sampler, &text, tell, &told[1], &requests[1]));
    OK(mrt_host_submit(host, prompt, count, sampler, &text, collect, &beside, &requests[2]));
    FAILS(MRT_ERROR_STATE, mrt_request_read(requests[0], NULL, 0, &length, &ended));
    OK(mrt_request_cancel(requests[1]));
    for (steps = 0; !told[0].ended && steps < 1000000; steps++) OK(mrt_host_step(host, 2000, &progress));
    CHECK(told[0].ended == 1 && strcmp(told[0].text.text, alone.text) == 0 && told[1].ended == 1 && told[1].text.bytes == 0 && beside.pieces >= 1);
    OK(mrt_request_read(requests[0], NULL, 0, &length, &ended));
    CHECK(ended == 1 && length == 0);
    OK(mrt_request_stats(requests[1], &stats));
    CHECK(stats.stop == MRT_STOP_CANCELLED);
    for (i = 0; i < 3; i++) OK(mrt_request_close(requests[i]));
    OK(mrt_host_close(host));

    /* by a thread of its own, which tells functions from others */
    options.manual = 0;
    OK(mrt_host_create(model, &options, &host));
    FAILS(MRT_ERROR_STATE, mrt_host_step(host, 100, NULL));
    memset(&told[0].text, 0, sizeof told[0].text);
    told[0].ended = 0;
    OK(mrt_host_submit(host, prompt, count, sampler, &text, tell, &told[0], &more[0]));
    OK(mrt_session_reset(session));
    OK(mrt_session_feed(session, prompt, count, NULL));   /* waits for the step at hand */
    pthread_mutex_lock(&told[0].lock);
    while (!told[0].ended) pthread_cond_wait(&told[0].change, &told[0].lock);
    pthread_mutex_unlock(&told[0].lock);
    CHECK(strcmp(told[0].text.text, alone.text) == 0);
    OK(mrt_host_submit(host, prompt, count, sampler, NULL, tell, &told[1], &more[1]));
    OK(mrt_request_close(more[1]));   /* its function is not called any more */
    OK(mrt_host_submit(host, prompt, count, sampler, &text, NULL, NULL, &more[1]));
    OK(mrt_host_close(host));
    FAILS(MRT_ERROR_HANDLE, mrt_host_stats(host, &load));
    memset(&beside, 0, sizeof beside);
    for (i = 0; i < 10000 && !host_read(more[1], &beside); i++) { }
    CHECK(i < 10000);
    OK(mrt_request_close(more[0])); OK(mrt_request_close(more[1]));
    OK(mrt_host_create(model, &options, &host));   /* another one, closed with the model or before it */
    OK(mrt_host_close(host));
    for (i = 0; i < 2; i++) { pthread_mutex_destroy(&told[i].lock); pthread_cond_destroy(&told[i].change); }
    OK(mrt_session_close(session));
}

/* A prompt that begins as one before is not fed again: in one model, and by its folder in another. */
static void kept(const char *path, const char *folder, mrt_sampler sampler, const int32_t *prompt, size_t count)
{
    mrt_model_options options = usual; mrt_host_options manual; mrt_text_options text; mrt_model model; mrt_host host; mrt_request request; mrt_progress progress = { sizeof progress, 0, 0, 0, 0 };
    mrt_text_stats stats = { sizeof stats, 0, 0, 0, 0, 0, 0 }; struct { mrt_text_stats stats; int64_t behind; } earlier; char states[512]; int start, asked;
    snprintf(states, sizeof states, "%s/states-%ld", folder, (long)time(NULL));
    options.state_folder = states;
    OK(mrt_host_options_init(&manual, sizeof manual));
    OK(mrt_text_options_init(&text, sizeof text));
    manual.manual = 1; text.max_tokens = 0;
    for (start = 0; start < 2; start++) {
        OK(mrt_model_open(path, &options, &model));
        OK(mrt_host_create(model, &manual, &host));
        for (asked = start; asked < 2; asked++) {
            OK(mrt_host_submit(host, prompt, count - (asked == 0), sampler, &text, NULL, NULL, &request));
            do OK(mrt_host_step(host, 1000000, &progress)); while (progress.more);
            OK(mrt_request_stats(request, &stats));
            CHECK(stats.cached_tokens == (asked ? (int32_t)count - 1 : 0) && stats.prompt_tokens + stats.cached_tokens == (int32_t)count - (asked == 0));
            memset(&earlier, 0x5a, sizeof earlier);
            earlier.stats.size = offsetof(mrt_text_stats, cached_tokens);   /* of an earlier header */
            OK(mrt_request_stats(request, &earlier.stats));
            CHECK(earlier.stats.stop == MRT_STOP_MAX_TOKENS && earlier.stats.cached_tokens == 0x5a5a5a5a && earlier.behind == 0x5a5a5a5a5a5a5a5a);
            OK(mrt_request_close(request));
        }
        OK(mrt_host_close(host));
        OK(mrt_model_close(model));
    }
}

/* What a GPU's driver makes of shaders is a file for later starts. */
static int pipelines(const char *path, const char *backend, const char *folder)
{
    mrt_model_options options; mrt_model model; mrt_session session; int32_t token = 33; int start;
    OK(mrt_model_options_init(&options, sizeof options));
    options.backend = backend; options.pipeline_folder = folder;
    for (start = 0; start < 2; start++) {
        OK(mrt_model_open(path, &options, &model));
        OK(mrt_session_start(model, &session));
        OK(mrt_session_feed(session, &token, 1, NULL));
        OK(mrt_session_close(session));
        OK(mrt_model_close(model));
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}

enum { Closing = 3 };

typedef struct { mrt_host host; mrt_model model; int pieces, ended, at; } closer;

/* The second of three closes the host, or its model, from its function. */
static int32_t close_within(void *user, const char *text, size_t bytes)
{
    closer *c = user;
    (void)bytes;
    if (!text) { c->ended++; return 0; }
    if (c->pieces++ == 0 && c->at == 1) { if (c->model) OK(mrt_model_close(c->model)); else OK(mrt_host_close(c->host)); }
    return 0;
}

/* Every function is told its end, once, also where another one closes the host, and where the model is closed beneath a host that is stepped. */
static void ends_are_told(const char *path, mrt_sampler sampler, const int32_t *prompt, size_t count)
{
    mrt_model model; mrt_host host; mrt_host_options options; mrt_text_options text; mrt_request requests[Closing]; closer closers[Closing]; int how, i, steps;
    OK(mrt_text_options_init(&text, sizeof text));
    text.ignore_end = 1;
    OK(mrt_host_options_init(&options, sizeof options));
    options.manual = 1;
    for (how = 0; how < 3; how++) {   /* the host is closed within, the model is, and the model from outside */
        OK(mrt_model_open(path, &usual, &model));
        OK(mrt_host_create(model, &options, &host));
        memset(closers, 0, sizeof closers);
        for (i = 0; i < Closing; i++) {
            closers[i].host = host; closers[i].model = how == 1 ? model : 0; closers[i].at = how == 2 ? 0 : i;
            OK(mrt_host_submit(host, prompt, count, sampler, &text, close_within, &closers[i], &requests[i]));
        }
        for (steps = 0; steps < 100000 && !closers[1].pieces; steps++) OK(mrt_host_step(host, 2000, NULL));
        if (how == 2) OK(mrt_model_close(model));
        for (i = 0; i < Closing; i++) { CHECK(closers[i].ended == 1); OK(mrt_request_close(requests[i])); }
        if (how == 0) OK(mrt_model_close(model)); else OK(mrt_host_close(host));
    }
}

static void from_memory(const char *path, const int32_t *prompt, size_t count, int32_t likely, int32_t vocabulary)
{
    FILE *file = fopen(path, "rb"); long bytes; void *data; mrt_model model; mrt_session session; const float *logits;
    if (!file) { CHECK(0); return; }
    fseek(file, 0, SEEK_END); bytes = ftell(file); rewind(file);
    data = malloc((size_t)bytes);
    CHECK(fread(data, 1, (size_t)bytes, file) == (size_t)bytes);
    fclose(file);
    OK(mrt_model_open_memory(data, bytes, &usual, &model));
    OK(mrt_session_start(model, &session));
    OK(mrt_session_feed(session, prompt, count, &logits));
    CHECK(likeliest(logits, vocabulary) == likely);
    OK(mrt_model_close(model));
    OK(mrt_session_close(session));
    free(data);
}

int main(int argc, char **argv)
{
    static const char text[] = "Once upon a time there was a small robot who lived by the sea.";
    mrt_model model; mrt_session session; mrt_sampler sampler; mrt_sampler_options sampling; mrt_model_info info = { sizeof info, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
    int32_t prompt[256], likely; size_t count, i, length, at = 0; char said[512], name[128]; const float *logits;
    if (argc < 3) { fprintf(stderr, "contract MODEL.gguf FOLDER [THREADS]\ncontract MODEL.gguf FOLDER-OF-PIPELINES 0 BACKEND\n"); return 2; }
    if (argc > 4) return pipelines(argv[1], argv[4], argv[2]);
    CHECK(mrt_abi_version() == MRT_ABI_VERSION);
    CHECK(mrt_version()[0] != 0 && mrt_last_error()[0] == 0 && mrt_last_error_code() == MRT_OK);
    wrong_handles();

    OK(mrt_model_options_init(&usual, sizeof usual));
    if (argc > 3) usual.threads = atoi(argv[3]);
    OK(mrt_model_open(argv[1], &usual, &model));
    OK(mrt_model_describe(model, &info));
    CHECK(info.vocabulary > 0 && info.state_bytes > 0 && info.states_bytes >= 0 && info.has_vocabulary == 1);
    OK(mrt_model_name(model, name, sizeof name, &length));
    CHECK(length > 0);
    progress_of_loading(argv[1]);
    wrong_arguments(model, argv[1]);

    FAILS(MRT_ERROR_BUFFER, mrt_encode(model, text, sizeof text - 1, 0, prompt, 1, &count));
    CHECK(count > 5);
    OK(mrt_encode(model, text, sizeof text - 1, 0, prompt, 256, &count));
    for (i = 0; i < count; i++) { OK(mrt_decode(model, prompt[i], 0, said + at, sizeof said - at, &length)); at += length; }
    said[at] = 0;
    CHECK(strstr(said, text) != NULL);
    OK(mrt_encode(model, text, sizeof text - 1, MRT_TOKENS_BEGINNING, prompt, 256, &count));

    OK(mrt_sampler_options_init(&sampling, sizeof sampling, model));
    sampling.temperature = 0;
    OK(mrt_sampler_create(&sampling, &sampler));
    OK(mrt_session_start(model, &session));
    OK(mrt_session_feed(session, prompt, count, &logits));
    likely = likeliest(logits, info.vocabulary);
    OK(mrt_session_close(session));

    refused_in_words(model, sampler, argv[1], prompt, count);
    sessions(model, sampler, prompt, count, info.vocabulary);
    many_handles(sampler);
    generation(model, sampler, prompt, count);
    conversation(model, sampler, argv[2]);
    closed_within_answers(argv[1]);
    threads(argv[1], prompt[count - 1]);
    from_memory(argv[1], prompt, count, likely, info.vocabulary);
    lent_threads(argv[1], prompt, count, info.vocabulary);
    memory(argv[1], prompt, count, info.vocabulary, likely);
    hosts(model, sampler, prompt, count);
    kept(argv[1], argv[2], sampler, prompt, count);
    ends_are_told(argv[1], sampler, prompt, count);
    closing_within_work(argv[1], sampler, prompt, count);
    OK(mrt_sampler_close(sampler));
    OK(mrt_model_close(model));
    FAILS(MRT_ERROR_HANDLE, mrt_model_close(model));
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
