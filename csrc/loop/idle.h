/* SPDX-License-Identifier: MIT */
/* The idle callback: an idle handle of luv's, which runs while deferred work is noted, and uv.stop. One handle serves
 * all sockets of a state. What the callback does is dispatch.c's affair. */
#ifndef DG_LOOP_IDLE_H
#define DG_LOOP_IDLE_H

#include "state.h"

DG_HIDDEN_BEGIN

/* Starts the idle handle, so that its callback runs before the loop blocks. Does nothing without luv: then the caller's
 * work waits for flush(). */
void dg_idle_start(lua_State *L, dg_state *state);
/* Notes that the idle handle does not run, if a program has closed it (with uv.walk). */
void dg_idle_check(lua_State *L, dg_state *state);
/* Stops the idle handle, and closes it when no socket is watched any more. It is called from inside the loop only. */
void dg_idle_stop(lua_State *L, dg_state *state);

/* Calls uv.stop(), if there is luv. */
void dg_idle_stop_loop(lua_State *L);

DG_HIDDEN_END

#endif
