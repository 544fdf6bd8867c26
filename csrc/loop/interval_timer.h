/* SPDX-License-Identifier: MIT */
/* The timer: a timer of microseconds, and the poll handle of luv that watches it. One for a state, made when it is
 * first needed, closed with the last socket. It calls the state's on_timer. */
#ifndef DG_LOOP_INTERVAL_TIMER_H
#define DG_LOOP_INTERVAL_TIMER_H

#include "state.h"

DG_HIDDEN_BEGIN

/* Sees to it that there is one, which keeps no loop alive. Returns whether there is; raises what luv raises, and may be
 * called again then. */
int dg_interval_timer_need(lua_State *L, dg_state *state);
/* Lets it ring after so many microseconds, once, or never (0), whether it has rung or not. */
int dg_interval_timer_arm(const dg_state *state, uint32_t microseconds);
/* Whether it keeps the loop alive. May raise. */
void dg_interval_timer_reference(lua_State *L, int references);
/* From inside the loop only, like the closing of every handle (poll.h). */
void dg_interval_timer_close(lua_State *L, dg_state *state);

DG_HIDDEN_END

#endif
