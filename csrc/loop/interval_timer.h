/* SPDX-License-Identifier: MIT */
/* A timer of microseconds (net/timer.h), and luv's poll handle that watches it. Each state has one at most: it is made
 * when a socket is first moderated, and closed with the last socket. It calls the state's on_timer; when to fire is
 * moderation.c's affair. */
#ifndef DG_LOOP_INTERVAL_TIMER_H
#define DG_LOOP_INTERVAL_TIMER_H

#include "state.h"

DG_HIDDEN_BEGIN

/* Makes the timer if there is none; it does not keep the loop alive. Returns whether there is a timer. Raises what luv
 * raises, and may be called again then. */
int dg_interval_timer_need(lua_State *L, dg_state *state);
/* Has the timer fire once, after so many microseconds, or never (0). What was set before is forgotten. Returns 0 or a
 * negative errno. */
int dg_interval_timer_arm(const dg_state *state, uint32_t microseconds);
/* Sets whether the timer keeps the loop alive. May raise. */
void dg_interval_timer_reference(lua_State *L, int references);
/* Closes the timer. Like every handle it is closed from inside the loop only (watch.h). */
void dg_interval_timer_close(lua_State *L, dg_state *state);

DG_HIDDEN_END

#endif
