/*
 * How long a step takes that was given so many microseconds: a histogram over frames in which a model has all the time something to do.
 *
 *   gcc -std=c99 -O2 -I../../CApi frames.c -o frames -L... -lmambart
 *   frames MODEL.gguf [session|host [BUDGET_US [FRAMES [THREADS]]]]      session 2000 10000 1 without
 *
 * The library promises the budget and one unit of work more, about 100 us and rarely more than 200. On a machine with other work to do the system may take the core
 * away within a step: the second column, the caller's processor time, leaves that out (where one thread works), and 99 of 100 frames must end there within a tenth more than the
 * budget, else this fails. As a process of real time (chrt -f 50) little of that happens; between two frames there is a pause, because Linux stops such a process for 50 ms of
 * each second in which it never rests.
 */
#define _POSIX_C_SOURCE 200809L
#include "mambart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { Sessions = 8, MostTokens = 100, Unit = 200 };

static void must(mrt_status code)
{
    if (code == MRT_OK) return;
    fprintf(stderr, "frames: %s\n", mrt_last_error());
    exit(1);
}

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

static int print(double *took[2], long frames, double budget)
{
    static const char *const names[] = { "within the budget", "up to 5 % more", "up to 10 % more", "up to 10 % and a unit more", "up to 1 ms more", "beyond" };
    double limits[6]; long counts[2][6] = { { 0 } }, i; int k, c;
    limits[0] = budget; limits[1] = 1.05 * budget; limits[2] = 1.1 * budget; limits[3] = 1.1 * budget + Unit; limits[4] = limits[3] > budget + 1000 ? limits[3] : budget + 1000; limits[5] = 1e300;
    for (c = 0; c < 2; c++) {
        for (i = 0; i < frames; i++) {
            for (k = 0; took[c][i] > limits[k]; k++) { }
            counts[c][k]++;
        }
        qsort(took[c], (size_t)frames, sizeof *took[c], by_size);
    }
    printf("%-28s %17s  %17s\n", "", "time", "processor time");
    for (k = 0; k < 6; k++)
        printf("%-28s %7ld %7.2f %%  %7ld %7.2f %%\n", names[k], counts[0][k], 100.0 * (double)counts[0][k] / (double)frames, counts[1][k], 100.0 * (double)counts[1][k] / (double)frames);
    for (c = 0; c < 2; c++)
        printf("%s: median %.0f us, 99 %% %.0f us, 99.9 %% %.0f us, most %.0f us\n", c ? "processor time" : "time", took[c][frames / 2], took[c][frames * 99 / 100], took[c][frames * 999 / 1000], took[c][frames - 1]);
    return took[1][frames * 99 / 100] > limits[2];
}

int main(int argc, char **argv)
{
    static const char asked[] = "Once upon a time there was a small robot who lived by the sea.";
    mrt_model_options options; mrt_host_options manual; mrt_text_options text; mrt_model model; mrt_sampler sampler; mrt_host host = 0; mrt_session sessions[Sessions]; mrt_request requests[Sessions];
    mrt_model_info info = { sizeof info, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
    int32_t tokens[128], ended; size_t count, length; char piece[4096]; int by_host = argc > 2 && strcmp(argv[2], "host") == 0, i, busy[Sessions] = { 0 }, turn = 0, late; struct timespec pause = { 0, 0 };
    long budget = argc > 3 ? atol(argv[3]) : 2000, frames = argc > 4 ? atol(argv[4]) : 10000, frame, generated = 0; double *took[2] = { malloc(sizeof(double) * (size_t)(frames > 0 ? frames : 1)), malloc(sizeof(double) * (size_t)(frames > 0 ? frames : 1)) };
    if (argc < 2 || budget <= 0 || frames <= 0 || !took[0] || !took[1]) { fprintf(stderr, "frames MODEL.gguf [session|host [BUDGET_US [FRAMES [THREADS]]]]\n"); return 2; }
    pause.tv_nsec = budget < 1000000 ? budget * 1000 / 8 : 125000000;
    must(mrt_model_options_init(&options, sizeof options));
    options.backend = "cpu"; options.threads = argc > 5 ? atoi(argv[5]) : 1;
    must(mrt_model_open(argv[1], &options, &model));
    must(mrt_sampler_create(NULL, &sampler));
    must(mrt_text_options_init(&text, sizeof text));
    text.max_tokens = MostTokens; text.ignore_end = 1;
    must(mrt_model_describe(model, &info));
    if (info.has_vocabulary) must(mrt_encode(model, asked, sizeof asked - 1, MRT_TOKENS_BEGINNING, tokens, 128, &count));
    else for (count = 0; count < 16; count++) tokens[count] = (int32_t)count + 100;   /* made by mambart bench --make */
    must(mrt_host_options_init(&manual, sizeof manual));
    manual.manual = 1;
    if (by_host) must(mrt_host_create(model, &manual, &host));
    else for (i = 0; i < Sessions; i++) must(mrt_session_start(model, &sessions[i]));
    for (frame = 0; frame < frames; frame++) {
        mrt_progress progress = { sizeof progress, 0, 0, 0, 0 }; double began, worked;
        for (i = 0; i < Sessions; i++) {   /* whoever has ended begins anew */
            if (busy[i] && by_host) {
                must(mrt_request_read(requests[i], piece, sizeof piece, &length, &ended));
                if (ended) { must(mrt_request_close(requests[i])); busy[i] = 0; }
            }
            if (busy[i]) continue;
            busy[i] = 1;
            if (by_host) must(mrt_host_submit(host, tokens, count, sampler, &text, NULL, NULL, &requests[i]));
            else must(mrt_session_generate(sessions[i], tokens, count, sampler, MostTokens));
        }
        worked = now(CLOCK_THREAD_CPUTIME_ID);
        began = now(CLOCK_MONOTONIC);
        if (by_host) must(mrt_host_step(host, budget, &progress));
        else must(mrt_session_step(sessions[turn], budget, &progress));
        took[0][frame] = now(CLOCK_MONOTONIC) - began;
        took[1][frame] = now(CLOCK_THREAD_CPUTIME_ID) - worked;
        generated += progress.generated_tokens;
        nanosleep(&pause, NULL);
        if (!by_host && !progress.more) { busy[turn] = 0; turn = (turn + 1) % Sessions; }
    }
    printf("%ld frames of %ld us, %s, %d thread%s, %ld tokens\n", frames, budget, by_host ? "8 answers of a host" : "one session after the other", (int)options.threads, options.threads == 1 ? "" : "s", generated);
    late = print(took, frames, (double)budget) && options.threads == 1;
    must(mrt_model_close(model));
    free(took[0]);
    free(took[1]);
    return late;
}
