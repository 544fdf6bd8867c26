/* SPDX-License-Identifier: MIT */
/* One round of the work that tick.h notes: the events and calls that are due, and what each due socket has to do. */
#ifndef DG_SOCKET_DRAIN_H
#define DG_SOCKET_DRAIN_H

#include "../loop/turn.h"
#include "work.h"

DG_HIDDEN_BEGIN

/* How much the round may do: what is due now. Set once before it, so that work that makes work waits for the next. */
void dg_drain_open(dg_state *state);
/* Does that work. May raise between two pieces of work; call it again then. */
void dg_drain_run(lua_State *L, dg_state *state);
/* Whether dg_drain_finish would do something. */
static inline int dg_drain_unfinished(const dg_state *state)
{
    return state->depth == 0 && (state->pending_closes != 0 || dg_work_has_work(state) || state->idle_running ||
                                 state->watched == 0 || dg_turn_must_end(state));
}
/* At the end of a dispatch: closes handles, starts or stops the loop's tick. */
void dg_drain_finish(lua_State *L, dg_state *state);

DG_HIDDEN_END

#endif
