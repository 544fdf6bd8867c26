/* SPDX-License-Identifier: MIT */
/* Does the deferred work that work.h notes: deferred events and calls, and the pending work of sockets. (The event
 * `drain` has nothing to do with it; send_queue.h emits that.) */
#ifndef DG_SOCKET_DRAIN_H
#define DG_SOCKET_DRAIN_H

#include "../loop/turn.h"
#include "work.h"

DG_HIDDEN_BEGIN

/* Sets how much work dg_drain_run may do in this dispatch: what is noted now. So work that makes work waits for the
 * next dispatch. */
void dg_drain_open(dg_state *state);
/* Does that work, as long as the turn has time. May raise what user code raises; to be called again then. */
void dg_drain_run(lua_State *L, dg_state *state);
/* Returns whether dg_drain_finish has something to do, outside of all dispatches. */
static inline int dg_drain_unfinished(const dg_state *state)
{
    return state->pending_closes != 0 || dg_work_has_work(state) || state->idle_running || state->watched == 0 ||
           dg_turn_must_end(state);
}
/* Ends a dispatch: closes handles, and starts or stops the idle handle. */
void dg_drain_finish(lua_State *L, dg_state *state);

DG_HIDDEN_END

#endif
