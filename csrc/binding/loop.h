/* SPDX-License-Identifier: MIT */
/* luv's event loop, through its Lua functions: the only file that names one. It is told what to watch, and calls
 * dispatch.h. Without luv everything that needs no loop still works. */
#ifndef DG_BINDING_LOOP_H
#define DG_BINDING_LOOP_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* What to watch a descriptor for. Disconnection never comes for a datagram socket: watched alone, it keeps the loop alive
 * and wakes nobody. */
enum dg_watch { DG_WATCH_READ = 1, DG_WATCH_WRITE = 2, DG_WATCH_ALIVE = 4 };

/* Whether there is a luv. */
int dg_loop_available(lua_State *L);
/* Raises, saying what to install, when there is none. */
void dg_loop_need(lua_State *L, const char *what);

/* Watches the socket's descriptor for a set of dg_watch. */
void dg_loop_watch(lua_State *L, int index, dg_socket *s, unsigned watch);
/* Comes back after so many milliseconds, to send what a full peer did not take. */
void dg_loop_retry(lua_State *L, int index, dg_socket *s, unsigned milliseconds);
/* Closes the descriptor, and stops watching it before. */
void dg_loop_release(lua_State *L, int index, dg_socket *s);
/* The same for finalizers: it calls luv only while that is safe, and never raises. */
void dg_loop_forget(lua_State *L, int index, dg_socket *s);
/* Closes the handles of released sockets. */
void dg_loop_close_graves(lua_State *L, dg_hub *hub);
/* After luv stopped the poll by itself (it does on socket errors). */
void dg_loop_stopped(dg_socket *s);

/* Starts the tick, which comes before the loop blocks. Without luv: nothing, the caller's work waits for flush(). */
void dg_loop_start_tick(lua_State *L, dg_hub *hub);
/* Stops it, and closes its handle when no socket is watched any more. */
void dg_loop_stop_tick(lua_State *L, dg_hub *hub);

/* uv.stop() */
void dg_loop_stop(lua_State *L);
/* core.run([mode]): uv.run, but raises what went uncaught in dgram's callbacks. */
int dg_loop_run(lua_State *L);

DG_HIDDEN_END

#endif
