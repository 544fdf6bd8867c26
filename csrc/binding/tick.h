/* SPDX-License-Identifier: MIT */
/* What is due but must not happen inside the call that caused it: events, callbacks, flushes, the end of a close. Work is
 * noted here and done by dg_tick_round, at the end of a dispatch or from the loop's next turn. */
#ifndef DG_BINDING_TICK_H
#define DG_BINDING_TICK_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Notes work (a set of dg_due) for the socket at `index`. */
void dg_tick_due(lua_State *L, int index, dg_socket *s, unsigned due);

/* Emits `event` from the socket later, with the value on top of the stack, which is popped. */
void dg_tick_emit(lua_State *L, int index, const char *event);
/* Calls callback(error, value) later: the three are on top of the stack (callback, error, value), and popped. */
void dg_tick_call(lua_State *L);
/* Tells whoever is to know of an error on top of the stack (popped): the callback at `callback` if that is a function
 * (with `value` as second argument), else the socket's `error` event. */
void dg_tick_fail(lua_State *L, int index, int callback, lua_Integer value);

/* How much the round may do: what is due now. Set once before it, so that work that makes work waits for the next. */
void dg_tick_open_round(dg_hub *hub);
/* Does that work. May raise between two pieces of work; call it again then. */
void dg_tick_round(lua_State *L, dg_hub *hub);
/* Whether dg_tick_settle would do something. */
int dg_tick_unsettled(const dg_hub *hub);
/* Starts the tick if work is noted. */
void dg_tick_resume(lua_State *L, dg_hub *hub);
/* At the end of a dispatch: starts or stops the loop's tick, as there is work or none, and closes handles. */
void dg_tick_settle(lua_State *L, dg_hub *hub);

DG_HIDDEN_END

#endif
