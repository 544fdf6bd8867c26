/* SPDX-License-Identifier: MIT */
/* luv's event loop: the tick, which is an idle handle, and stopping the loop. */
#ifndef DG_BINDING_LOOP_H
#define DG_BINDING_LOOP_H

#include "hub.h"

DG_HIDDEN_BEGIN

/* Starts the tick, which comes before the loop blocks. Without luv: nothing, the caller's work waits for flush(). */
void dg_loop_start_tick(lua_State *L, dg_hub *hub);
/* Stops it, and closes its handle when no socket is watched any more. */
void dg_loop_stop_tick(lua_State *L, dg_hub *hub);

/* uv.stop() */
void dg_loop_stop(lua_State *L);

DG_HIDDEN_END

#endif
