/*
 * MambaRT as a C library: Mamba (state-space) language models inside other programs. C99, and C++ from C++11.
 *
 * Handles are numbers; 0 is none. A handle that was closed, or is of another kind, gives MRT_ERROR_HANDLE wherever it is used: never a crash.
 * What is created is closed by whoever created it, in any order: closing a model ends its sessions and chats, whose handles are still to be closed.
 *
 * Threads: one thread at a time in a model with all that was made from it; a second gets MRT_ERROR_STATE and nothing happens. Different models
 * are independent. What any thread may call at any time says so: "any thread".
 *
 * Errors: a function that can fail returns MRT_OK (0) or a code, and then mrt_last_error() of the same thread says in a sentence what is wrong.
 * What fails changes nothing, unless it says so. Text is UTF-8, in and out; what comes in need not end with a zero where a length is given.
 *
 * Text that is handed out goes to memory of the caller's: `capacity` bytes at `text`, of which *length are used, no zero at the end. Where capacity
 * is too small the code is MRT_ERROR_BUFFER, nothing is written, and *length is what is needed.
 */
#ifndef MAMBART_H
#define MAMBART_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Grows when a program that was built with an earlier header would no longer run. */
#define MRT_ABI_VERSION 2u

typedef uint64_t mrt_model;
typedef uint64_t mrt_session;
typedef uint64_t mrt_sampler;
typedef uint64_t mrt_generator;
typedef uint64_t mrt_chat;
typedef uint64_t mrt_host;
typedef uint64_t mrt_request;

typedef int32_t mrt_status;
enum {
    MRT_OK = 0,
    MRT_ERROR_ARGUMENT = 1,     /* an argument is out of range, or null */
    MRT_ERROR_HANDLE = 2,       /* a handle was closed, or is of another kind */
    MRT_ERROR_FORMAT = 3,       /* a file or a saved state is damaged, or not what it should be */
    MRT_ERROR_UNSUPPORTED = 4,  /* known, but not what this library or this machine can do */
    MRT_ERROR_IO = 5,           /* a file cannot be read or written, or the device failed */
    MRT_ERROR_MEMORY = 6,       /* there is not enough memory, or the limit of it is reached */
    MRT_ERROR_STATE_BUDGET = 7, /* the budget for states is used up: close sessions, or open the model with a larger one */
    MRT_ERROR_CANCELLED = 8,    /* it was cancelled */
    MRT_ERROR_STATE = 9,        /* not now: another thread is inside, something else is under way, or the session has lost its state */
    MRT_ERROR_BUFFER = 10,      /* the memory given is too small; the length says what is needed */
    MRT_ERROR_CLOSED = 11,      /* the model was closed, or the session that a generator has */
    MRT_ERROR_INTERNAL = 12,    /* a fault of this library */
    MRT_ERROR_FULL = 13         /* as many requests wait as may: try again later */
};

/* ---- the library ---- */

/* MRT_ABI_VERSION of the library that runs: compare before anything else. Any thread. */
uint32_t mrt_abi_version(void);

/* The library's version, such as "0.1.0". Any thread. */
const char *mrt_version(void);

/* What went wrong in the last call of this thread that failed; "" where none has. Valid until the next failure on this thread. Any thread. */
const char *mrt_last_error(void);

/* The code that call returned. Any thread. */
mrt_status mrt_last_error_code(void);

/* ---- models ---- */

/* Gives memory, at any address as malloc does, or NULL. Called by the threads that open, use and close the model. Until it returns, its thread
   closes no model and no host (MRT_ERROR_STATE); so with mrt_release_fn and mrt_parallel_for_fn. */
typedef void *(*mrt_allocate_fn)(void *user, size_t bytes);

/* Takes back what that gave; bytes as they were asked for. */
typedef void (*mrt_release_fn)(void *user, void *memory, size_t bytes);

/* A piece of work of the library's: call it with each number once, on any thread; it never calls back and never waits for another. */
typedef void (*mrt_unit_fn)(void *work, int32_t index);

/* Calls unit(work, i) for each i of 0 to count - 1, at the same time or not, and returns when all calls have: the program's own job system. */
typedef void (*mrt_parallel_for_fn)(void *user, int32_t count, mrt_unit_fn unit, void *work);

/* Told how far loading is, on a thread that loads: what is being done, and bytes done and in all (0: not known). First "opening" with 0 bytes, last "ready" with all; between
   them what is uploaded or compiled. Not 0 ends it with MRT_ERROR_CANCELLED. */
typedef int32_t (*mrt_progress_fn)(void *user, const char *doing, int64_t done, int64_t total);

typedef struct mrt_model_options {
    uint32_t size;             /* set by mrt_model_options_init */
    int32_t threads;           /* threads of the cpu backend; 0: as many as the machine has cores */
    const char *backend;       /* "cpu", "cuda", ...; NULL or "auto": a GPU that holds the model, else the processor */
    int32_t chunk_tokens;      /* tokens of a prompt that run at a time; 0: what the device runs best */
    int32_t gpu_layers;        /* layers, from the last, that run on the GPU, the others on the processor; -1: all where the backend is a GPU */
    int32_t copy_to_memory;    /* not 0: the file is read instead of mapped: no step then waits for a part of it that is used for the first time */
    int64_t state_budget;      /* bytes for the states of all sessions; 0: an eighth of the machine's memory */
    int64_t offset;            /* where in the file the model begins */
    int64_t length;            /* bytes of the model in the file; 0: up to its end */
    mrt_progress_fn progress;  /* or NULL */
    void *user;                /* given to progress */
    int64_t memory_limit;      /* bytes that the model may take beyond the mapped file; 0: no limit. cpu only, which it chooses where backend does not */
    mrt_allocate_fn allocate;  /* these three: see mrt_set_allocator */
    mrt_release_fn release;
    void *allocator_user;
    mrt_parallel_for_fn parallel_for; /* these two: see mrt_set_parallel_for */
    void *parallel_user;
    const char *pipeline_folder; /* where a GPU keeps what its driver makes of shaders, so that later starts are quick (Vulkan); made where there is none. NULL: nowhere */
    const char *state_folder;    /* where hosts and chats keep states of what was fed, so that a later start does not feed it again: they hold what was said, and take up to
                                    state_budget bytes, of all programs that share it; made where there is none. NULL: nowhere */
} mrt_model_options;

/* Sets the defaults. size: sizeof *options. Any thread. */
mrt_status mrt_model_options_init(mrt_model_options *options, size_t size);

/* Has the model take its memory from the program: decoded weights, states, scratch, and a file that is copied. Not taken from it are the mapped file, logits,
   machine code made at load, and what the library needs for vocabulary and handles. It may refuse by NULL at any time: MRT_ERROR_MEMORY, or
   MRT_ERROR_STATE_BUDGET for a state, and nothing has changed. All is given back before mrt_model_close returns. cpu only, which it chooses where backend does not. */
mrt_status mrt_set_allocator(mrt_model_options *options, mrt_allocate_fn allocate, mrt_release_fn release, void *user);

/* Has the cpu backend run on threads of the program's instead of starting its own: options->threads says for how many calls it asks at a time. Each step of a
   token, some hundreds, is one call of run, from the thread that is inside the model; what run leaves undone, that thread does. Results are the same bit for bit. */
mrt_status mrt_set_parallel_for(mrt_model_options *options, mrt_parallel_for_fn run, void *user);

typedef struct mrt_memory {
    uint32_t size;             /* set by the caller: sizeof(mrt_memory) */
    int32_t on_device;         /* 1: weights, states and scratch lie in the memory of a GPU */
    int64_t file_bytes;        /* the file, mapped or copied */
    int64_t weight_bytes;      /* weights that are decoded, repacked or uploaded */
    int64_t states_bytes;      /* the states of all sessions */
    int64_t scratch_bytes;     /* activations and logits, also with all sessions in one batch up to chunk_tokens */
    int64_t total_bytes;       /* all that is taken beyond what is mapped: a memory_limit of as many is enough */
} mrt_memory;

/* What the model will take when it is opened with these options (NULL: the defaults) and has so many sessions. A chat has one session, and one or two more for
   what it can take back; a request of a host has one. Nothing of it is kept. Any thread. */
mrt_status mrt_estimate(const char *path, const mrt_model_options *options, int32_t sessions, mrt_memory *memory);

/* Opens a GGUF file, or a part of one (offset and length: a pack file of a game). options may be NULL. Any thread. */
mrt_status mrt_model_open(const char *path, const mrt_model_options *options, mrt_model *model);

/* Opens a GGUF file that is in memory, without a copy: the memory must stay as it is until the model is closed. Offset and length of options are not used. Any thread. */
mrt_status mrt_model_open_memory(const void *data, int64_t bytes, const mrt_model_options *options, mrt_model *model);

/* Ends what runs on the model, waits for it, and gives its memory back. Any thread. */
mrt_status mrt_model_close(mrt_model model);

typedef struct mrt_model_info {
    uint32_t size;              /* set by the caller: sizeof(mrt_model_info) */
    int32_t vocabulary;         /* logits of a row */
    int32_t chunk_tokens;       /* tokens of a prompt that run at a time */
    int32_t on_device;          /* 1: weights, states and scratch lie in the memory of a GPU */
    int64_t state_bytes;        /* of one session's state */
    int64_t state_budget;       /* bytes for all states */
    int64_t weight_bytes;       /* held beyond the mapped file: weights repacked or uploaded, */
    int64_t states_bytes;       /*   states reserved so far, and one beyond the budget, which runs need, */
    int64_t scratch_bytes;      /*   and activations */
    int32_t bos, eos, eot;      /* tokens, or -1 */
    int32_t has_vocabulary;     /* 0: only token ids can be used, no text */
} mrt_model_info;

/* Describes a model. */
mrt_status mrt_model_describe(mrt_model model, mrt_model_info *info);

/* Its name: general.name, or the architecture. */
mrt_status mrt_model_name(mrt_model model, char *text, size_t capacity, size_t *length);

/* The backend it runs on, such as "cpu". */
mrt_status mrt_model_backend(mrt_model model, char *text, size_t capacity, size_t *length);

/* A text of the file's metadata by its key, such as "general.license"; MRT_ERROR_ARGUMENT where there is none. */
mrt_status mrt_model_metadata(mrt_model model, const char *key, char *text, size_t capacity, size_t *length);

/* ---- tokens: any thread while the model is open ---- */

enum {
    MRT_TOKENS_BEGINNING = 1,   /* the text begins a sequence: the model's own first token is put before it where the file says so */
    MRT_TOKENS_SPECIAL = 2      /* the text of control tokens stands for those tokens: never for what a user typed */
};

/* Encodes text. tokens: room for capacity ids, of which *count are used; as for text, MRT_ERROR_BUFFER tells how many are needed. */
mrt_status mrt_encode(mrt_model model, const char *text, size_t bytes, uint32_t flags, int32_t *tokens, size_t capacity, size_t *count);

/* The bytes of one token, which may end in the middle of a character. special not 0: control tokens have text too. */
mrt_status mrt_decode(mrt_model model, int32_t token, int32_t special, char *text, size_t capacity, size_t *length);

/* 1 where generation ends at this token, 0 where not or where model or token is none. */
int32_t mrt_ends_generation(mrt_model model, int32_t token);

typedef struct mrt_progress {
    uint32_t size;             /* set by the caller: sizeof(mrt_progress) */
    int32_t prompt_tokens;     /* tokens of prompts that were absorbed */
    int32_t generated_tokens;
    int32_t finished;          /* texts that ended */
    int32_t more;              /* 0: there is nothing more to do */
} mrt_progress;

/* ---- sessions: one sequence each, with a state of constant size ---- */

/* Starts a sequence before its first token. */
mrt_status mrt_session_start(mrt_model model, mrt_session *session);

/* Gives its state back. Any thread. */
mrt_status mrt_session_close(mrt_session session);

/* Feeds tokens. logits (may be NULL): [vocabulary] after the last of them, valid until the session is fed again, or closed. When it fails, or is
   cancelled, nothing is fed; a device that fails within a token can lose the state, which the next call then says. */
mrt_status mrt_session_feed(mrt_session session, const int32_t *tokens, size_t count, const float **logits);

/* Feeds one token to each of several sessions of one model: the weights are read once for all. tokens: one for each. */
mrt_status mrt_session_feed_batch(const mrt_session *sessions, const int32_t *tokens, size_t count);

/* The logits after the last token that was fed; as mrt_session_feed gives them. MRT_ERROR_ARGUMENT where none was. */
mrt_status mrt_session_logits(mrt_session session, const float **logits);

/* Ends a feed, a generation or an answer of this session that another thread is in, or the next one, within about the time of a token. Any thread. */
mrt_status mrt_session_cancel(mrt_session session);

/* Begins to feed tokens in slices of time, for a program that draws frames. Until all are fed nothing else is done with the session. cpu only. The first of these of a model,
   as the first mrt_session_generate and a manual host, also has the memory made that runs compute in (some tens of milliseconds for a large model), so that no step waits for it. */
mrt_status mrt_session_begin(mrt_session session, const int32_t *tokens, size_t count);

/* Begins to feed a prompt and to generate up to max_tokens after it in slices of time; a session that has absorbed tokens, or generates, takes a second state
   meanwhile, the one to go back to. The sampler is used, not copied: leave it alone until the text has ended. */
mrt_status mrt_session_generate(mrt_session session, const int32_t *tokens, size_t count, mrt_sampler sampler, int32_t max_tokens);

/* Goes on with what mrt_session_begin or mrt_session_generate began for budget_us microseconds, on the caller's thread and the model's own; a unit of work that was
   begun is ended, about 100 us, rarely more than 200. A token is left in its midst and resumed where it stopped. progress may be NULL. What fails is given up. */
mrt_status mrt_session_step(mrt_session session, int64_t budget_us, mrt_progress *progress);

/* Tokens that were generated since mrt_session_generate, from the from-th on, without one that ended the text. All were fed but, where max_tokens ended it, the last. */
mrt_status mrt_session_generated(mrt_session session, int32_t from, int32_t *tokens, size_t capacity, size_t *count);

/* Gives up what was begun so: the session is as before the prompt or, once that is absorbed, as before the token at hand. */
mrt_status mrt_session_give_up(mrt_session session);

/* Tokens that it has absorbed. */
mrt_status mrt_session_position(mrt_session session, int64_t *position);

/* A session with the same past and a separate future. */
mrt_status mrt_session_fork(mrt_session session, mrt_session *fork);

/* Takes over the past of another session of the same model: goes back to a fork that was made before. */
mrt_status mrt_session_rewind(mrt_session session, mrt_session past);

/* Back to before the first token. */
mrt_status mrt_session_reset(mrt_session session);

/* Bytes that mrt_session_save writes. */
mrt_status mrt_session_save_size(mrt_session session, size_t *bytes);

/* Writes the state: what any backend goes on with, bound to this model, with a checksum. *written: as mrt_session_save_size says. */
mrt_status mrt_session_save(mrt_session session, void *data, size_t capacity, size_t *written);

/* Goes on from a saved state, which is checked whole before it is used. */
mrt_status mrt_session_restore(mrt_session session, const void *data, size_t bytes);

/* ---- sampling: a sampler is used by one thread at a time ---- */

typedef struct mrt_sampler_options {
    uint32_t size;              /* set by mrt_sampler_options_init */
    float temperature;          /* 0: always the most likely token */
    int32_t top_k;              /* 0: all */
    float top_p;                /* 1: all */
    float min_p;                /* 0: all */
    float typical_p;            /* 1: all */
    float repeat_penalty;       /* 1: none */
    int32_t repeat_last_n;      /* tokens that penalties look back on; -1: all */
    float frequency_penalty;    /* 0: none */
    float presence_penalty;     /* 0: none */
    float xtc_probability;      /* 0: none */
    float xtc_threshold;
    int32_t mirostat;           /* 0, 1 or 2 */
    float mirostat_tau;
    float mirostat_eta;
    int32_t has_seed;           /* 0: one is drawn */
    uint32_t seed;
} mrt_sampler_options;

/* Sets llama.cpp's defaults or, where model is not 0, what its file recommends. size: sizeof *options. */
mrt_status mrt_sampler_options_init(mrt_sampler_options *options, size_t size, mrt_model model);

/* Makes a sampler; equal options, seed and logits give equal tokens. options may be NULL. Any thread. */
mrt_status mrt_sampler_create(const mrt_sampler_options *options, mrt_sampler *sampler);

/* A copy with its present state. */
mrt_status mrt_sampler_clone(mrt_sampler sampler, mrt_sampler *clone);

/* Back to its state when it was made. */
mrt_status mrt_sampler_reset(mrt_sampler sampler);

/* Its seed. */
mrt_status mrt_sampler_seed(mrt_sampler sampler, uint32_t *seed);

/* Closes it; generators and chats made with it have copies. Any thread. */
mrt_status mrt_sampler_close(mrt_sampler sampler);

/* Picks a token by the session's logits and the tokens it was fed. It is not fed. */
mrt_status mrt_session_sample(mrt_session session, mrt_sampler sampler, int32_t *token);

/* ---- text ---- */

/* Given a piece of text: whole characters, bytes of them, and no zero at the end. Not 0 ends the text there. It must not call into the same model. */
typedef int32_t (*mrt_text_fn)(void *user, const char *text, size_t bytes);

enum {
    MRT_STOP_NONE = 0,         /* it goes on */
    MRT_STOP_END = 1,          /* the model ended it */
    MRT_STOP_STRING = 2,       /* a stop string was found */
    MRT_STOP_MAX_TOKENS = 3,
    MRT_STOP_CANCELLED = 4     /* by mrt_session_cancel, mrt_chat_cancel, or what mrt_text_fn returned */
};

typedef struct mrt_text_options {
    uint32_t size;                  /* set by mrt_text_options_init */
    int32_t max_tokens;             /* -1: until the model ends */
    const char *const *stop;        /* strings that end the text, each zero-terminated; NULL: none */
    size_t stop_count;
    int32_t ignore_end;             /* not 0: the model never ends by itself */
} mrt_text_options;

typedef struct mrt_text_stats {
    uint32_t size;                  /* set by the caller: sizeof(mrt_text_stats) */
    int32_t stop;                   /* MRT_STOP_... */
    int32_t prompt_tokens;          /* tokens that were fed before the first was generated */
    int32_t generated_tokens;
    int64_t prompt_us;
    int64_t generation_us;
    int32_t cached_tokens;          /* tokens before those that were not fed: the state had absorbed them, or one that had was kept */
} mrt_text_stats;

/* Sets the defaults. size: sizeof *options. Any thread. */
mrt_status mrt_text_options_init(mrt_text_options *options, size_t size);

/* Makes what generates text with a session, again and again. options may be NULL. The session stays the caller's, and is not fed otherwise in between. */
mrt_status mrt_generator_create(mrt_session session, mrt_sampler sampler, const mrt_text_options *options, mrt_generator *generator);

/* Feeds tokens and generates; text is called with each piece, on this thread. count may be 0 where the run before left off by its limit. */
mrt_status mrt_generator_run(mrt_generator generator, const int32_t *tokens, size_t count, mrt_text_fn text, void *user);

/* The same by polling: begins. */
mrt_status mrt_generator_begin(mrt_generator generator, const int32_t *tokens, size_t count);

/* Computes up to the next piece and hands it out. *length 0: it has ended. A piece that was too long for the memory given is handed out by the next call. */
mrt_status mrt_generator_next(mrt_generator generator, char *text, size_t capacity, size_t *length);

/* Feeds the token that was picked and shown last and not fed yet: the session's state then covers all of the text, for a fork or a save. */
mrt_status mrt_generator_settle(mrt_generator generator);

/* Counts and times of the run at hand, or the last one. */
mrt_status mrt_generator_stats(mrt_generator generator, mrt_text_stats *stats);

/* Closes it, not the session. */
mrt_status mrt_generator_close(mrt_generator generator);

/* ---- many answers at once ---- */

/*
 * A host computes answers beside each other, each step a token of every answer and at most a chunk of one prompt: a long prompt stops nobody. It uses the model from
 * a thread of its own or, where it is manual, when mrt_host_step is called. A model has one host at a time. Its sessions can be used beside it: such a call waits for
 * the step at hand. All functions of hosts and requests: any thread.
 */
typedef struct mrt_host_options {
    uint32_t size;             /* set by mrt_host_options_init */
    int32_t manual;            /* not 0: no thread; mrt_host_step drives it */
    int32_t max_sequences;     /* answers at a time, each with a state, up to 65,536; others wait */
    int32_t max_queue;         /* requests that may wait; one more gets MRT_ERROR_FULL */
    int32_t deterministic;     /* not 0: an answer is bit for bit what it is alone, for which sequences are decoded one after the other */
} mrt_host_options;

/* Sets the defaults. size: sizeof *options. */
mrt_status mrt_host_options_init(mrt_host_options *options, size_t size);

/* Makes a host. options may be NULL. */
mrt_status mrt_host_create(mrt_model model, const mrt_host_options *options, mrt_host *host);

/* Asks for the text that follows tokens. options may be NULL. text, where it is not NULL, is given the text as it comes and then, once, NULL and 0 bytes at the
   end: within mrt_host_step of a manual host, or what closes it or its model, else on a thread of the library's, perhaps before this returns; it may call any
   function. Not 0 ends the text. */
mrt_status mrt_host_submit(mrt_host host, const int32_t *tokens, size_t count, mrt_sampler sampler, const mrt_text_options *options, mrt_text_fn text, void *user, mrt_request *request);

/* Drives a manual host for budget_us microseconds, on the caller's thread and the model's own. progress may be NULL. MRT_ERROR_STATE where it has a thread. */
mrt_status mrt_host_step(mrt_host host, int64_t budget_us, mrt_progress *progress);

typedef struct mrt_host_load {
    uint32_t size;             /* set by the caller: sizeof(mrt_host_load) */
    int32_t active;            /* requests that have a state */
    int32_t waiting;           /* requests that wait for one */
} mrt_host_load;

/* What a host has to do. */
mrt_status mrt_host_stats(mrt_host host, mrt_host_load *load);

/* Ends all its answers, as cancelling does, waits for the step at hand, and closes it; not the requests. */
mrt_status mrt_host_close(mrt_host host);

/* Hands out the text that was computed since, of a request without a function; *length 0: none yet or, where *ended is 1, nothing more. A failure is told when all
   is handed out that was computed before. With a function: only after the end was told, for a failure. A text that is not read waits after some thousand tokens. */
mrt_status mrt_request_read(mrt_request request, char *text, size_t capacity, size_t *length, int32_t *ended);

/* Ends it within about the time of a token, also while it waits or its prompt is fed. */
mrt_status mrt_request_cancel(mrt_request request);

/* Counts and times so far; times are those that the host spent on it and on what ran beside it. */
mrt_status mrt_request_stats(mrt_request request, mrt_text_stats *stats);

/* Ends it and closes it. Its function is not called any more when this returns, unless it is that which calls this. */
mrt_status mrt_request_close(mrt_request request);

/* ---- conversations ---- */

typedef struct mrt_message {
    const char *role;               /* "system", "user", "assistant", or what else the template knows */
    const char *text;
} mrt_message;

/* Writes a conversation, oldest message first, as the tokens that the model is to answer: for mrt_host_submit, or a session. tmpl: as for mrt_chat_create. What someone
   says never becomes a control token. As for mrt_encode, MRT_ERROR_BUFFER tells how many are needed. Any thread while the model is open. */
mrt_status mrt_chat_encode(mrt_model model, const char *tmpl, const mrt_message *messages, size_t count, int32_t *tokens, size_t capacity, size_t *length);

/* Begins a conversation with a session of its own. tmpl: the name of a chat template ("chatml"), or NULL: the model's own, else chatml. system: what the
   model is told before all turns, or NULL. options may be NULL. Nothing is fed before the first turn. */
mrt_status mrt_chat_create(mrt_model model, mrt_sampler sampler, const char *tmpl, const char *system, const mrt_text_options *options, mrt_chat *chat);

/* Says something and hands out the answer piece by piece, on this thread. Where it is cancelled while it reads, the conversation is as before. */
mrt_status mrt_chat_say(mrt_chat chat, const char *said, size_t bytes, mrt_text_fn text, void *user);

/* The same by polling: begins. */
mrt_status mrt_chat_begin(mrt_chat chat, const char *said, size_t bytes);

/* Computes up to the next piece; as mrt_generator_next. */
mrt_status mrt_chat_next(mrt_chat chat, char *text, size_t capacity, size_t *length);

/* Begins the last answer again, by other random numbers; mrt_chat_next hands it out. */
mrt_status mrt_chat_retry(mrt_chat chat);

/* Takes back the last turn with its answer. *undone (may be NULL): 0 where there was none. */
mrt_status mrt_chat_undo(mrt_chat chat, int32_t *undone);

/* Forgets all turns but the system's. */
mrt_status mrt_chat_reset(mrt_chat chat);

/* A conversation with the same past and a separate future. */
mrt_status mrt_chat_fork(mrt_chat chat, mrt_chat *fork);

/* Ends the answer that is being given, or the next one, within about the time of a token. Any thread. */
mrt_status mrt_chat_cancel(mrt_chat chat);

/* Saves turns and state in a file, whole or not at all; only an earlier saved state is replaced. */
mrt_status mrt_chat_save(mrt_chat chat, const char *path);

/* Goes on with a saved conversation in place of this one. */
mrt_status mrt_chat_load(mrt_chat chat, const char *path);

/* Counts and times of the answer at hand, or the last one. */
mrt_status mrt_chat_stats(mrt_chat chat, mrt_text_stats *stats);

/* Closes it and its states. Any thread. */
mrt_status mrt_chat_close(mrt_chat chat);

#ifdef __cplusplus
}
#endif
#endif
