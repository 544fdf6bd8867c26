/* SPDX-License-Identifier: MIT */
/* A socket's handles of luv: the poll that watches its descriptor, the timer that asks a full Unix peer again; and the
 * end of both, which comes from inside the loop. They call what the state names. */
#ifndef DG_SOCKET_WATCH_H
#define DG_SOCKET_WATCH_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Brings luv's poll and the anchor in line with what the socket wants now; call it after every change of state. */
void dg_watch_update(lua_State *L, int index, dg_socket *s);
/* Makes the poll, which there is not yet; it watches nothing. */
void dg_watch_make(lua_State *L, int index, dg_socket *s);
/* Opens the descriptor of a new socket. A handle that waits to be closed, and the number that it keeps, are used again
 * where there are some: so closed sockets never use up the descriptors. Returns it, or a negative errno. */
int dg_watch_open(lua_State *L, int index, dg_socket *s);
/* Closes the descriptor, and stops watching it before. */
void dg_watch_release(lua_State *L, int index, dg_socket *s);
/* The same for finalizers: it calls luv only while that is safe, and never raises. */
void dg_watch_forget(lua_State *L, int index, dg_socket *s);
/* Whether its handles are still to be closed. */
int dg_watch_is_closing(const dg_socket *s);
/* Lets the poll go, whose descriptor is another's. */
void dg_watch_abandon(lua_State *L, int index, dg_socket *s);
/* Closes the handles of released sockets; from inside the loop only. */
void dg_watch_close_pending(lua_State *L, dg_state *state);
/* After luv stopped the poll by itself (it does on socket errors). */
void dg_watch_stopped(dg_socket *s);

DG_HIDDEN_END

#endif
