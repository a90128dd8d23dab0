/*
 * A village: forty characters, each with a memory of its own that goes on from what was told to it before. They talk in turn while frames are drawn sixty times a
 * second, and the model has two milliseconds of each. The graph below shows what it took.
 *
 *   gcc -std=c99 -O2 -I../../CApi village.c -o village $(pkg-config --cflags --libs sdl2) -L... -lmambart
 *   village MODEL.gguf [FRAMES [PICTURE.bmp]]      ends after FRAMES frames; 0 or none: when the window is closed
 *
 * Where it ends after some frames it fails unless in 99 of 100 the model took at most its share and a tenth more of the processor's time. What passes on the clock is shown
 * beside it: that is more where other programs take the core away within a step.
 */
#define _POSIX_C_SOURCE 200809L
#include "mambart.h"
#include "font.h"

#include <SDL.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { Columns = 8, Rows = 5, Villagers = Columns * Rows, Width = 960, Height = 640, Graph = 90, Frames = 480, Budget = 2000, Longest = 600, MostTokens = 60 };

typedef struct {
    mrt_session mind;
    mrt_sampler voice;
    int words;                  /* tokens that were shown */
    int32_t last;               /* the last of them */
    int turns;
    size_t length;
    char said[Longest];
} villager;

static const char *const things[] = { "the sea", "a lost mitten", "snow", "the old mill", "a brave dog", "the moon", "bread", "a red kite", "the rain", "a hedgehog" };

static void must(mrt_status code)
{
    if (code == MRT_OK) return;
    fprintf(stderr, "village: %s\n", mrt_last_error());
    exit(1);
}

/* ---- the talk ---- */

/* Asks a villager something, in the words of the model's format; what was said to it before is in its state. */
static void ask(mrt_model model, villager *v, int who)
{
    char text[160]; int32_t tokens[128]; size_t count, unfed = v->words == MostTokens;   /* the last of so many tokens is not in its state */
    const char *thing = things[(who + 7 * v->turns) % (sizeof things / sizeof things[0])];
    snprintf(text, sizeof text, "%s<|user|>Tell me about %s.<|end|><|assistant|>", v->turns ? "<|end|>" : "", thing);
    tokens[0] = v->last;
    must(mrt_encode(model, text, strlen(text), MRT_TOKENS_SPECIAL, tokens + unfed, sizeof tokens / sizeof tokens[0] - unfed, &count));
    must(mrt_session_generate(v->mind, tokens, count + unfed, v->voice, MostTokens));
    v->words = 0;
    v->length = 0;
    v->turns++;
}

/* Goes on for the frame's share; 0 when the villager has said all. */
static int talk(mrt_model model, villager *v)
{
    mrt_progress progress = { sizeof progress, 0, 0, 0, 0 }; int32_t tokens[MostTokens]; size_t count, length, i;
    must(mrt_session_step(v->mind, Budget, &progress));
    must(mrt_session_generated(v->mind, v->words, tokens, MostTokens, &count));
    for (i = 0; i < count; i++) {
        if (mrt_decode(model, tokens[i], 0, v->said + v->length, Longest - v->length, &length) == MRT_OK) v->length += length;
        v->last = tokens[i];
    }
    v->words += (int)count;
    return progress.more;
}

/* ---- the picture ---- */

static void dots(SDL_Renderer *to, int x, int y, int scale, char c)
{
    const char *at = strchr(letters, c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c); int row, column;
    if (c == 0 || at == NULL) return;
    for (row = 0; row < 7; row++)
        for (column = 0; column < 5; column++)
            if (shapes[at - letters][row] >> (4 - column) & 1) { SDL_Rect dot = { x + column * scale, y + row * scale, scale, scale }; SDL_RenderFillRect(to, &dot); }
}

static void text(SDL_Renderer *to, int x, int y, int scale, const char *said, size_t length)
{
    size_t i;
    for (i = 0; i < length; i++) dots(to, x + (int)i * 6 * scale, y, scale, said[i]);
}

/* Words in lines; returns how many lines there are. */
static int lines(SDL_Renderer *to, int x, int y, int most, const char *said, size_t length)
{
    size_t from = 0; int line = 0;
    while (from < length) {
        size_t end = from + (size_t)most < length ? from + (size_t)most : length, cut = end;
        while (end < length && cut > from && said[cut] != ' ') cut--;
        if (cut == from) cut = end;
        if (to) text(to, x, y + line * 18, 2, said + from, cut - from);
        line++;
        for (from = cut; from < length && said[from] == ' '; from++) { }
    }
    return line;
}

static void disc(SDL_Renderer *to, int x, int y, int radius)
{
    int row;
    for (row = -radius; row <= radius; row++) {
        int half = (int)sqrt((double)(radius * radius - row * row));
        SDL_RenderDrawLine(to, x - half, y + row, x + half, y + row);
    }
}

static void draw(SDL_Renderer *to, const villager *all, int speaker, const double *took, long frame)
{
    char label[120]; int i, most = 0;
    SDL_SetRenderDrawColor(to, 120, 168, 92, 255);
    SDL_RenderClear(to);
    for (i = 0; i < Villagers; i++) {
        int x = 60 + i % Columns * 120, y = 60 + i / Columns * 100 + (i == speaker ? (int)(frame / 6 % 2) * 4 : 0);
        SDL_Rect house = { x - 34, y - 30, 68, 52 };
        SDL_SetRenderDrawColor(to, (Uint8)(140 + i * 37 % 90), (Uint8)(96 + i * 53 % 70), 80, 255);
        SDL_RenderFillRect(to, &house);
        SDL_SetRenderDrawColor(to, (Uint8)(i == speaker ? 255 : 236), (Uint8)(i == speaker ? 224 : 190), (Uint8)(i == speaker ? 120 : 150), 255);
        disc(to, x, y + 24, 16);
        SDL_SetRenderDrawColor(to, 40, 30, 30, 255);
        disc(to, x - 6, y + 20, 2);
        disc(to, x + 6, y + 20, 2);
        if (i == speaker && frame / 8 % 2) disc(to, x, y + 31, 4);
        else SDL_RenderDrawLine(to, x - 4, y + 31, x + 4, y + 31);
    }
    if (all[speaker].length == 0) speaker = (speaker + Villagers - 1) % Villagers;   /* until something is said, what was said last stays */
    { int x = 40, y = speaker / Columns < Rows / 2 ? 300 : 40, rows = lines(NULL, 0, 0, 70, all[speaker].said, all[speaker].length);
      SDL_Rect bubble = { x, y, Width - 80, 28 + 18 * (rows ? rows : 1) };
      SDL_SetRenderDrawColor(to, 255, 252, 240, 255);
      SDL_RenderFillRect(to, &bubble);
      SDL_SetRenderDrawColor(to, 60, 50, 50, 255);
      SDL_RenderDrawRect(to, &bubble);
      SDL_RenderDrawLine(to, 60 + speaker % Columns * 120, 84 + speaker / Columns * 100, 60 + speaker % Columns * 120, y + (y > 84 + speaker / Columns * 100 ? 0 : bubble.h));
      lines(to, x + 16, y + 14, 70, all[speaker].said, all[speaker].length); }
    { SDL_Rect ground = { 0, Height - Graph, Width, Graph };
      SDL_SetRenderDrawColor(to, 28, 30, 38, 255);
      SDL_RenderFillRect(to, &ground); }
    for (i = 0; i < Frames && i < frame; i++) {
        double share = took[(frame - 1 - i) % Frames] / Budget; int height = (int)(share * Graph / 2);
        SDL_Rect bar = { Width - 2 - 2 * i, Height - (height < Graph ? height : Graph), 2, height < Graph ? height : Graph };
        if (share * Budget > most) most = (int)(share * Budget);
        SDL_SetRenderDrawColor(to, (Uint8)(share > 1.1 ? 240 : 96), (Uint8)(share > 1.1 ? 96 : 200), 110, 255);
        SDL_RenderFillRect(to, &bar);
    }
    SDL_SetRenderDrawColor(to, 250, 220, 90, 255);
    SDL_RenderDrawLine(to, 0, Height - Graph / 2, Width, Height - Graph / 2);
    snprintf(label, sizeof label, "model: %d us of a frame allowed, %d at most of the last %d frames", Budget, most, frame < Frames ? (int)frame : Frames);
    text(to, 10, Height - Graph + 8, 2, label, strlen(label));
    SDL_RenderPresent(to);
}

/* ---- the frames ---- */

/* Microseconds: of the clock, or of the processor in this thread. */
static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int save_picture(SDL_Renderer *from, const char *path)
{
    SDL_Surface *picture = SDL_CreateRGBSurfaceWithFormat(0, Width, Height, 32, SDL_PIXELFORMAT_ARGB8888);
    int saved = picture && SDL_RenderReadPixels(from, NULL, SDL_PIXELFORMAT_ARGB8888, picture->pixels, picture->pitch) == 0 && SDL_SaveBMP(picture, path) == 0;
    SDL_FreeSurface(picture);
    return saved;
}

int main(int argc, char **argv)
{
    static villager all[Villagers];
    static double took[Frames];
    mrt_model_options options; mrt_sampler_options sampling; mrt_model model; SDL_Window *window; SDL_Renderer *renderer; SDL_Event event;
    long frame, frames = argc > 2 ? atol(argv[2]) : 0; double *every = malloc(sizeof *every * (size_t)(frames + 1)), *worked = malloc(sizeof *worked * (size_t)(frames + 1)), slow = 0; int i, speaker = 0, pause = 0, open = 1, turns = 0;
    if (argc < 2 || frames < 0 || !every || !worked) { fprintf(stderr, "village MODEL.gguf [FRAMES [PICTURE.bmp]]\n"); return 2; }
    must(mrt_model_options_init(&options, sizeof options));
    options.backend = "cpu"; options.threads = 1;
    must(mrt_model_open(argv[1], &options, &model));
    must(mrt_sampler_options_init(&sampling, sizeof sampling, model));
    sampling.has_seed = 1;
    for (i = 0; i < Villagers; i++) {
        sampling.seed = (uint32_t)i + 1;
        must(mrt_session_start(model, &all[i].mind));
        must(mrt_sampler_create(&sampling, &all[i].voice));
    }
    if (SDL_Init(SDL_INIT_VIDEO) != 0) { fprintf(stderr, "village: %s\n", SDL_GetError()); return 1; }
    window = SDL_CreateWindow("Village", SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED, Width, Height, 0);
    renderer = window ? SDL_CreateRenderer(window, -1, SDL_RENDERER_SOFTWARE) : NULL;
    if (!renderer) { fprintf(stderr, "village: %s\n", SDL_GetError()); return 1; }
    ask(model, &all[0], 0);
    for (frame = 0; open && (frames == 0 || frame < frames); ) {
        double began = now(CLOCK_MONOTONIC), busy = now(CLOCK_THREAD_CPUTIME_ID), share, passed;
        while (SDL_PollEvent(&event)) if (event.type == SDL_QUIT) open = 0;
        if (pause > 0) {
            if (--pause == 0) { speaker = (speaker + 1) % Villagers; ask(model, &all[speaker], speaker); }
        }
        else if (!talk(model, &all[speaker])) { pause = 20; turns++; }
        share = now(CLOCK_MONOTONIC) - began;
        took[frame % Frames] = share;
        if (frames) { every[frame] = share; worked[frame] = now(CLOCK_THREAD_CPUTIME_ID) - busy; }
        draw(renderer, all, speaker, took, ++frame);
        passed = (now(CLOCK_MONOTONIC) - began) / 1000;
        if (passed < 16) SDL_Delay((Uint32)(16 - passed));
    }
    if (argc > 3 && !save_picture(renderer, argv[3])) { fprintf(stderr, "village: no picture: %s\n", SDL_GetError()); return 1; }
    if (frames && frame > 0) {
        qsort(every, (size_t)frame, sizeof *every, by_size);
        qsort(worked, (size_t)frame, sizeof *worked, by_size);
        slow = worked[frame * 99 / 100];
        printf("%ld frames, %d lines; of %d us the model took (middle, 99 of 100, most)\n", frame, turns, Budget);
        printf("  on the clock %.0f %.0f %.0f, of the processor %.0f %.0f %.0f%s\n", every[frame / 2], every[frame * 99 / 100], every[frame - 1], worked[frame / 2], slow, worked[frame - 1],
            slow > 1.1 * Budget ? ": too long" : "");
        printf("villager 1: %.*s\n", (int)all[0].length, all[0].said);
    }
    must(mrt_model_close(model));
    free(every);
    free(worked);
    SDL_DestroyRenderer(renderer);
    SDL_DestroyWindow(window);
    SDL_Quit();
    return frames && turns == 0;   /* times are for who reads them: other programs have their part in these, too */
}
