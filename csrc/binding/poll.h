/* SPDX-License-Identifier: MIT */
/* A socket's handles of luv: the poll that watches its descriptor, the timer that asks a full Unix peer again; and the end of
 * both, which comes from inside the loop. They call dispatch.h. */
#ifndef DG_BINDING_POLL_H
#define DG_BINDING_POLL_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* What to watch a descriptor for. Disconnection never comes for a datagram socket: watched alone, it keeps the loop alive
 * and wakes nobody. */
enum dg_watch { DG_WATCH_READ = 1, DG_WATCH_WRITE = 2, DG_WATCH_ALIVE = 4 };

/* Watches the socket's descriptor for a set of dg_watch. */
void dg_poll_watch(lua_State *L, int index, dg_socket *s, unsigned watch);
/* Comes back after so many milliseconds, to send what a full peer did not take. */
void dg_poll_retry(lua_State *L, int index, dg_socket *s, unsigned milliseconds);
/* Closes the descriptor, and stops watching it before. */
void dg_poll_release(lua_State *L, int index, dg_socket *s);
/* The same for finalizers: it calls luv only while that is safe, and never raises. */
void dg_poll_forget(lua_State *L, int index, dg_socket *s);
/* Closes the handles of released sockets; from inside the loop only. */
void dg_poll_close_graves(lua_State *L, dg_hub *hub);
/* After luv stopped the poll by itself (it does on socket errors). */
void dg_poll_stopped(dg_socket *s);

DG_HIDDEN_END

#endif
