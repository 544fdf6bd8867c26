/* SPDX-License-Identifier: MIT */
/* Preloaded while instructions are counted: the time is the same in each run, because Lua seeds its hashes with it; and
 * the clock stands, because everything takes fifty times as long under callgrind, and what is done once in a millisecond
 * would be done for every datagram. */
#include <time.h>

time_t time(time_t *out)
{
    if (out != NULL)
        *out = 1;
    return 1;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    (void)clock;
    out->tv_sec = 1;
    out->tv_nsec = 0;
    return 0;
}
