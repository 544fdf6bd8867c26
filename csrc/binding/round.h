/* SPDX-License-Identifier: MIT */
/* One round of the work that tick.h notes: the events and calls that are due, and what each due socket has to do. */
#ifndef DG_BINDING_ROUND_H
#define DG_BINDING_ROUND_H

#include "tick.h"
#include "turn.h"

DG_HIDDEN_BEGIN

/* How much the round may do: what is due now. Set once before it, so that work that makes work waits for the next. */
void dg_round_open(dg_hub *hub);
/* Does that work. May raise between two pieces of work; call it again then. */
void dg_round_run(lua_State *L, dg_hub *hub);
/* Whether dg_round_settle would do something. */
static inline int dg_round_unsettled(const dg_hub *hub)
{
    return hub->depth == 0 &&
           (hub->graves != 0 || dg_tick_has_work(hub) || hub->ticking || hub->watched == 0 || dg_turn_must_end(hub));
}
/* At the end of a dispatch: closes handles, starts or stops the loop's tick. */
void dg_round_settle(lua_State *L, dg_hub *hub);

DG_HIDDEN_END

#endif
