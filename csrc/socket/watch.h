/* SPDX-License-Identifier: MIT */
/* A socket's handles of luv. This file makes, starts and stops the poll that watches the descriptor, which calls the
 * state's on_poll or on_alive; timers.h does so with the socket's timers. All of them are closed here.
 *
 * A handle is only stopped when its socket closes. It is closed later, from inside the loop, because luv 1.44 crashes
 * at the end of a state whose loop did not run after a handle was closed. */
#ifndef DG_SOCKET_WATCH_H
#define DG_SOCKET_WATCH_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Makes luv's poll watch for what the socket needs now, and keeps the socket alive if need be. To be called after every
 * change of state. */
void dg_watch_update(lua_State *L, int index, dg_socket *s);
/* Pushes a new handle, as dg_luv_new does, for which the close queue has a place. Whoever puts it into a slot of the
 * socket counts it in the state. */
void dg_watch_new_handle(lua_State *L, dg_state *state, const char *constructor, int arguments);
/* Makes the poll, which there is not yet; it watches nothing. */
void dg_watch_make(lua_State *L, int index, dg_socket *s);
/* Opens the descriptor of a new socket. A handle that waits to be closed, and the descriptor's number that it keeps
 * taken, are used again where there are some, so that closed sockets never use up the descriptors. Returns the
 * descriptor or a negative errno. */
int dg_watch_open(lua_State *L, int index, dg_socket *s);
/* Stops the poll, then closes the descriptor. The handles are put into the close queue. */
void dg_watch_release(lua_State *L, int index, dg_socket *s);
/* Does the same for finalizers: calls luv only while that is safe, and never raises. */
void dg_watch_forget(lua_State *L, int index, dg_socket *s);
/* Returns whether the socket's handles are still in the close queue. */
int dg_watch_is_closing(const dg_socket *s);
/* Puts the poll into the close queue and leaves the descriptor open, because it is not the socket's. */
void dg_watch_abandon(lua_State *L, int index, dg_socket *s);
/* Closes the handles in the close queue. To be called from inside the loop only. */
void dg_watch_close_pending(lua_State *L, dg_state *state);
/* Notes whether the program wants the socket to keep the loop alive. dg_watch_update follows. */
static inline void dg_watch_set_referenced(dg_socket *s, int referenced)
{
    s->watch.unreferenced = (unsigned char)!referenced;
}
/* Notes that luv has stopped the poll by itself, which it does on socket errors. */
void dg_watch_stopped(dg_socket *s);

DG_HIDDEN_END

#endif
