/* SPDX-License-Identifier: MIT */
/* The timer of luv's that bounds how long dgram.step waits. It does not keep the loop alive. A state has one at most,
 * which is made when a step first waits, and closed with the last socket. */
#ifndef DG_LOOP_STEP_TIMER_H
#define DG_LOOP_STEP_TIMER_H

#include "../lua/compat.h"
#include "../net/attributes.h"

DG_HIDDEN_BEGIN

/* Starts the timer, which is made if there is none. The caller knows that there is a luv. */
void dg_step_timer_start(lua_State *L, lua_Number milliseconds);
void dg_step_timer_stop(lua_State *L);
/* Closes the timer. Returns whether there was one: the loop has to make a turn then before its end. */
int dg_step_timer_close(lua_State *L);

DG_HIDDEN_END

#endif
