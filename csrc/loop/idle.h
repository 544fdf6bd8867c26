/* SPDX-License-Identifier: MIT */
/* luv's event loop: the tick, which is an idle handle, and stopping the loop. */
#ifndef DG_LOOP_IDLE_H
#define DG_LOOP_IDLE_H

#include "state.h"

DG_HIDDEN_BEGIN

/* Starts the tick, which comes before the loop blocks. Without luv: nothing, the caller's work waits for flush(). */
void dg_idle_start(lua_State *L, dg_state *state);
/* A program may have closed every handle that it found (uv.walk): then it does not run. */
void dg_idle_check(lua_State *L, dg_state *state);
/* Stops it, and closes its handle when no socket is watched any more. */
void dg_idle_stop(lua_State *L, dg_state *state);

/* uv.stop() */
void dg_idle_stop_loop(lua_State *L);

DG_HIDDEN_END

#endif
