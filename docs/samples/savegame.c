/*
 * A saved game: the states of all characters in one file, and a chapter that goes on from it as if nothing had been in between.
 *
 *   gcc -std=c99 -I../../CApi savegame.c -o savegame -L... -lmambart
 *   savegame save FILE MODEL.gguf [BACKEND [TEMPERATURE]]     everybody is asked something; writes FILE, prints what each answers then
 *   savegame load FILE MODEL.gguf [BACKEND [TEMPERATURE]]     goes on from FILE, on any backend; prints what each answers
 *
 * Both print the same lines: seeds are kept with the states. Another backend than the one that saved goes on within the bounds of its arithmetic: with temperature 0 the
 * lines are still the same but where two tokens are as likely.
 */
#include "mambart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { Characters = 6, MostTokens = 24 };

static const char *const told[Characters] = { "a red kite", "the sea", "a lost mitten", "the old mill", "snow", "a hedgehog" };

static void must(mrt_status code)
{
    if (code == MRT_OK) return;
    fprintf(stderr, "savegame: %s\n", mrt_last_error());
    exit(1);
}

static void fail(const char *what, const char *file)
{
    fprintf(stderr, "savegame: %s '%s'\n", what, file);
    exit(1);
}

static void feed(mrt_model model, mrt_session session, const char *before, const char *text, const char *after)
{
    char whole[256]; int32_t tokens[128]; size_t count;
    snprintf(whole, sizeof whole, "%s%s%s", before, text, after);
    must(mrt_encode(model, whole, strlen(whole), MRT_TOKENS_SPECIAL, tokens, 128, &count));   /* text of the game's own */
    must(mrt_session_feed(session, tokens, count, NULL));
}

/* Each state with its seed and its size in front. */
static void save(const char *path, const mrt_session *sessions, const uint32_t *seeds)
{
    FILE *file = fopen(path, "wb"); int i;
    if (!file) fail("cannot write", path);
    for (i = 0; i < Characters; i++) {
        size_t bytes, written; uint32_t header[2]; void *state;
        must(mrt_session_save_size(sessions[i], &bytes));
        if (!(state = malloc(bytes))) fail("no memory to save", path);
        must(mrt_session_save(sessions[i], state, bytes, &written));
        header[0] = seeds[i]; header[1] = (uint32_t)written;
        if (fwrite(header, sizeof header, 1, file) != 1 || fwrite(state, 1, written, file) != written) fail("cannot write", path);
        free(state);
    }
    if (fclose(file) != 0) fail("cannot write", path);
}

static void load(const char *path, const mrt_session *sessions, uint32_t *seeds)
{
    FILE *file = fopen(path, "rb"); int i;
    if (!file) fail("cannot read", path);
    for (i = 0; i < Characters; i++) {
        uint32_t header[2]; void *state;
        if (fread(header, sizeof header, 1, file) != 1 || !(state = malloc(header[1]))) fail("this is no saved game:", path);
        if (fread(state, 1, header[1], file) != header[1]) fail("the saved game is cut short:", path);
        must(mrt_session_restore(sessions[i], state, header[1]));   /* checked: a damaged one, or another model's, is refused */
        seeds[i] = header[0];
        free(state);
    }
    fclose(file);
}

/* What somebody says next. */
static void say(mrt_model model, mrt_session session, uint32_t seed, const char *temperature)
{
    mrt_sampler_options options; mrt_sampler sampler; char piece[128]; size_t length; int32_t token; int i;
    must(mrt_sampler_options_init(&options, sizeof options, model));
    options.has_seed = 1; options.seed = seed;
    if (temperature) options.temperature = (float)atof(temperature);
    must(mrt_sampler_create(&options, &sampler));
    for (i = 0; i < MostTokens; i++) {
        must(mrt_session_sample(session, sampler, &token));
        if (mrt_ends_generation(model, token)) break;
        must(mrt_decode(model, token, 0, piece, sizeof piece, &length));
        fwrite(piece, 1, length, stdout);
        must(mrt_session_feed(session, &token, 1, NULL));
    }
    putchar('\n');
    must(mrt_sampler_close(sampler));
}

int main(int argc, char **argv)
{
    mrt_model_options options; mrt_model model; mrt_session sessions[Characters]; uint32_t seeds[Characters]; int i, saves = argc > 1 && strcmp(argv[1], "save") == 0;
    if (argc < 4 || (!saves && strcmp(argv[1], "load") != 0)) { fprintf(stderr, "savegame save|load FILE MODEL.gguf [BACKEND [TEMPERATURE]]\n"); return 2; }
    must(mrt_model_options_init(&options, sizeof options));
    options.backend = argc > 4 ? argv[4] : "cpu";
    must(mrt_model_open(argv[3], &options, &model));
    for (i = 0; i < Characters; i++) must(mrt_session_start(model, &sessions[i]));
    if (saves) {
        for (i = 0; i < Characters; i++) {
            feed(model, sessions[i], "<|user|>Tell me about ", told[i], ".<|end|>");
            seeds[i] = 100 + (uint32_t)i;
        }
        save(argv[2], sessions, seeds);
    }
    else load(argv[2], sessions, seeds);
    for (i = 0; i < Characters; i++) {
        printf("%d: ", i + 1);
        feed(model, sessions[i], "<|assistant|>", "", "");   /* logits are not saved: a token is fed for them */
        say(model, sessions[i], seeds[i], argc > 5 ? argv[5] : NULL);
    }
    return mrt_model_close(model);
}
