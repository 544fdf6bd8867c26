/* SPDX-License-Identifier: MIT */
/* What is due but must not happen inside the call that caused it: events, callbacks, flushes, the end of a close. Work
 * is noted here, and done by the round (round.h) at the end of a dispatch or from the loop's next turn. */
#ifndef DG_SOCKET_WORK_H
#define DG_SOCKET_WORK_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Notes work (a set of dg_work_kind) for the socket at `index`. */
void dg_work_add(lua_State *L, int index, dg_socket *s, unsigned due);
/* The same inside a dispatch, for a socket that is kept_alive: allocates nothing. */
void dg_work_mark(dg_socket *s, unsigned due);

/* Emits `event` from the socket later, with the value on top of the stack, which is popped. Returns whether: without a
 * loop nothing comes later. */
int dg_work_emit(lua_State *L, int index, const char *event);
/* The same in two steps, for an event whose cause cannot be undone: `prepare` does all that may fail, and returns
 * whether the event can be told of. If so, `commit` notes it, or `cancel` does not; nothing of Lua's may be allocated
 * in between. */
int dg_work_prepare(lua_State *L, int index, const char *event);
void dg_work_commit(dg_state *state);
void dg_work_cancel(lua_State *L, dg_state *state);
/* Calls callback(error, value) later: the three are on top of the stack (callback, error, value), and popped. */
void dg_work_call(lua_State *L);
/* Tells whoever is to know of an error on top of the stack (popped): the callback at `callback` if that is a function
 * (with `value` as second argument), else the socket's `error` event. */
void dg_work_fail(lua_State *L, int index, int callback, lua_Integer value);

/* For the round. A deferred call is four values: the socket or false, the event's name or the function, two arguments.
 */
int dg_work_defer(lua_State *L);                  /* pops the four; returns what dg_work_emit does */
void dg_work_take(lua_State *L, dg_state *state); /* pushes those of the first one, and forgets it */
unsigned dg_work_deferred(const dg_state *state); /* how many there are */
dg_socket *dg_work_next(dg_state *state);         /* the first due socket, taken off the list; there is one */

/* Whether anything is noted. */
static inline int dg_work_has_work(const dg_state *state)
{
    return state->first_pending != NULL || state->current != NULL || state->first_event != state->end_event;
}

/* Starts the tick if work is noted. */
void dg_work_resume(lua_State *L, dg_state *state);
/* At the end of a dispatch: starts or stops the tick, as there is work or none. */
void dg_work_rest(lua_State *L, dg_state *state);

DG_HIDDEN_END

#endif
