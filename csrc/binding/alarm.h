/* SPDX-License-Identifier: MIT */
/* The alarm: a timer of microseconds, and the poll handle of luv that watches it. One for a state, made when it is
 * first needed, closed with the last socket. It calls the hub's on_alarm. */
#ifndef DG_BINDING_ALARM_H
#define DG_BINDING_ALARM_H

#include "hub.h"

DG_HIDDEN_BEGIN

/* Sees to it that there is one, which keeps no loop alive. Returns whether there is; raises what luv raises, and may be
 * called again then. */
int dg_alarm_need(lua_State *L, dg_hub *hub);
/* Lets it ring after so many microseconds, once, or never (0), whether it has rung or not. */
int dg_alarm_arm(const dg_hub *hub, uint32_t microseconds);
/* Whether it keeps the loop alive. May raise. */
void dg_alarm_reference(lua_State *L, int references);
/* From inside the loop only, like the closing of every handle (poll.h). */
void dg_alarm_close(lua_State *L, dg_hub *hub);

DG_HIDDEN_END

#endif
