/* SPDX-License-Identifier: MIT */
/* Deferred work: events, callbacks, flushes and the end of a close, which must not happen inside the call that caused
 * them. The work is noted here. It is done by drain.h, at the end of the running dispatch or in the idle callback. */
#ifndef DG_SOCKET_WORK_H
#define DG_SOCKET_WORK_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Notes work (a set of dg_work_kind) for the socket at `index`, and starts the idle handle if no dispatch is
 * running. */
void dg_work_add(lua_State *L, int index, dg_socket *s, unsigned kinds);
/* Does the same inside a dispatch, for a socket that is kept alive. Allocates nothing. */
void dg_work_mark(dg_socket *s, unsigned kinds);

/* Takes back work that was noted; the socket stays in the list of pending sockets. */
static inline void dg_work_unmark(dg_socket *s, unsigned kinds)
{
    s->job.pending &= (unsigned char)~kinds;
}

/* Pops a value, and emits `event` from the socket later with it. Returns whether it will be emitted: without a loop
 * there are no deferred events. An event needs the loop, unless it is a dg_owed_event that nobody listens to. */
int dg_work_emit(lua_State *L, int index, const char *event);
/* The same in two steps, for an event whose cause cannot be undone: `listening`. `prepare` does all that may fail, and
 * returns whether the event is prepared. `commit` with that answer, or `cancel` if it is prepared, follows; no Lua
 * memory may be allocated in between. */
int dg_work_prepare(lua_State *L, int index, const char *event);
void dg_work_commit(dg_socket *s, int prepared);
void dg_work_cancel(lua_State *L, dg_state *state);
/* Returns the dg_owed_event of this name, or 0. */
unsigned dg_work_owed_event(const char *event);
/* Pops a callback, an error and a value, and calls callback(error, value) later. The callback is of a send of the
 * socket at `index`; 0: of no socket. */
void dg_work_call(lua_State *L, int index);
/* Pops an error, and reports it later: to the callback at `callback` if that is a function (with `value` as second
 * argument), else by the socket's `error` event. The indices are positive. */
void dg_work_fail(lua_State *L, int index, int callback, lua_Integer value);

/* For drain.c. A deferred call is four values: the socket or false, the event's name or the function, two arguments. */
int dg_work_defer(lua_State *L);                  /* pops the four values; returns what dg_work_emit does */
void dg_work_take(lua_State *L, dg_state *state); /* takes the first call, pushes its four values */
unsigned dg_work_deferred(const dg_state *state); /* returns how many calls there are */
dg_socket *dg_work_next(dg_state *state);         /* takes the first pending socket off the list; there is one */

/* Returns whether any work is noted. */
static inline int dg_work_has_work(const dg_state *state)
{
    return state->first_pending != NULL || state->current != NULL || state->first_event != state->end_event;
}

/* Starts the idle handle if work is noted. */
void dg_work_resume(lua_State *L, dg_state *state);
/* Is called at the end of a dispatch: starts or stops the idle handle, as there is work or none. */
void dg_work_rest(lua_State *L, dg_state *state);

DG_HIDDEN_END

#endif
