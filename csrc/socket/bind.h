/* SPDX-License-Identifier: MIT */
/* A socket's own end: where it is bound. Names are not looked up here; the Lua
 * side does that, and comes back with a literal. */
#ifndef DG_SOCKET_BIND_H
#define DG_SOCKET_BIND_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* What a bind allocates, before anything is bound: luv watches, and (`tells`) `listening` has its place, which
 * dg_work_commit takes. Returns whether it worked; if not, the error is on top of the stack. Until the bind is done
 * nothing of Lua's may be allocated. */
int dg_bind_prepare(lua_State *L, int index, dg_socket *s, int *tells);
/* Binds to any free port (or Unix name) if the socket is unbound; `listening` follows. 0 or a negative errno. */
int dg_bind_bind_any(lua_State *L, int index, dg_socket *s);

/* The address that core's arguments (socket, port | nil, text | nil) name; `absent` makes that of no text. Returns 0,
 * DG_NOT_A_LITERAL or a negative errno. */
int dg_bind_parse(lua_State *L, const dg_socket *s, dg_address *out, unsigned *port,
                  void (*absent)(dg_address *out, int family, unsigned port));
/* What core.bind and core.connect return: true, or false for a name, or nil and the error object. */
int dg_bind_answer(lua_State *L, int status, const char *syscall, const dg_address *address, unsigned port);
/* Pushes {address, family, port}, for Unix sockets {address, family}; returns 1. */
int dg_bind_push_address(lua_State *L, const dg_address *address);

/* Makes the place for the peer's address, which only connected sockets need; 0 without memory. */
int dg_bind_make_peer(dg_socket *s);

/* Adds address; core.bind and what goes with it. The stack is as for dg_socket_open. */
void dg_bind_open(lua_State *L);

DG_HIDDEN_END

#endif
