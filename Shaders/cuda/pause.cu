// Keeps the device busy for a while, so that what is timed behind it does not wait for the host.
#include "common.h"

struct PauseArguments {
    s64 nanoseconds;
};

KERNEL(pause, PauseArguments, 32) {
    s64 begin = clock_nanoseconds();
    while (clock_nanoseconds() - begin < a.nanoseconds) { }
}
