/* SPDX-License-Identifier: MIT */
/* A descriptor that becomes readable some microseconds later: timerfd_create(2). Event loops' own timers count
 * milliseconds. */
#ifndef DG_NET_TIMER_H
#define DG_NET_TIMER_H

#include <stdint.h>

#include "attributes.h"

DG_HIDDEN_BEGIN

/* Whether the system has such a thing. */
int dg_timer_exists(void);
/* A descriptor, or a negative errno: -ENOSYS where it has not. */
int dg_timer_open(void);
/* Sets it anew, whether it went off or not; 0: to never. Returns 0 or a negative errno. */
int dg_timer_set(int fd, uint32_t microseconds);
/* Microseconds from some time on (CLOCK_MONOTONIC), and modulo 2^32. */
uint64_t dg_timer_now(void);
uint32_t dg_timer_clock(void);

DG_HIDDEN_END

#endif
