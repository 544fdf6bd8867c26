/* SPDX-License-Identifier: MIT */
/* Preloaded, so that it is always the same second: Lua seeds its hashes with the time and with addresses, which valgrind
 * makes the same each time, and another seed is another number of collisions. */
#include <time.h>

time_t time(time_t *out)
{
    if (out != NULL)
        *out = 1;
    return 1;
}
