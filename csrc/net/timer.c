/* SPDX-License-Identifier: MIT */
#include "timer.h"

#include <errno.h>
#include <time.h>

uint64_t dg_timer_now(void)
{
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000U + (uint64_t)now.tv_nsec / 1000U;
}

uint32_t dg_timer_clock(void)
{
    return (uint32_t)dg_timer_now();
}

#if defined(__linux__) && !defined(DGRAM_PORTABLE)

#include <sys/timerfd.h>

int dg_timer_exists(void)
{
    return 1;
}

int dg_timer_open(void)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

int dg_timer_set(int fd, uint32_t microseconds)
{
    const struct itimerspec when = {.it_value = {microseconds / 1000000U, (long)(microseconds % 1000000U) * 1000L}};
    return timerfd_settime(fd, 0, &when, NULL) == 0 ? 0 : -errno;
}

#else

int dg_timer_exists(void)
{
    return 0;
}

int dg_timer_open(void)
{
    return -ENOSYS;
}

int dg_timer_set(int fd, uint32_t microseconds)
{
    (void)fd;
    (void)microseconds;
    return -ENOSYS;
}

#endif
