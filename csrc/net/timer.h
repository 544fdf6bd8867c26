/* SPDX-License-Identifier: MIT */
/* A descriptor that becomes readable after some microseconds (timerfd_create(2)), because the timers of event loops
 * count milliseconds; and a clock. */
#ifndef DG_NET_TIMER_H
#define DG_NET_TIMER_H

#include <stdint.h>

#include "attributes.h"

DG_HIDDEN_BEGIN

/* Returns whether the system has such descriptors. */
int dg_timer_exists(void);
/* Returns a descriptor or a negative errno; -ENOSYS where the system has none. */
int dg_timer_open(void);
/* Has it fire after so many microseconds (0: never), whatever was set before. Returns 0 or a negative errno. */
int dg_timer_set(int fd, uint32_t microseconds);
/* Returns microseconds since some fixed time (CLOCK_MONOTONIC); the second one modulo 2^32. */
uint64_t dg_timer_now(void);
uint32_t dg_timer_clock(void);

DG_HIDDEN_END

#endif
