/* SPDX-License-Identifier: MIT */
/* The two ends of a socket: where it is bound and whom it is connected to. Names are not looked up here; the Lua side does
 * that, and comes back with a literal. */
#ifndef DG_BINDING_ENDPOINT_H
#define DG_BINDING_ENDPOINT_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Binds to any free port (or Unix name) if the socket is unbound; `listening` follows. 0 or a negative errno. */
int dg_endpoint_bind_any(lua_State *L, int index, dg_socket *s);

/* Pushes the error of a system call on a datagram's way, with the connected peer's address where `to` is NULL or empty. */
void dg_endpoint_push_error(lua_State *L, const dg_socket *s, int error, const char *syscall, const dg_address *to);
/* Pushes the error of an address that did not parse: its text is at `index`. */
void dg_endpoint_push_text_error(lua_State *L, int error, const char *syscall, int index, unsigned port);

/* Adds address, remoteAddress, disconnect; core.bind, core.connect, core.adopt. The stack is as for dg_socket_open. */
void dg_endpoint_open(lua_State *L);

DG_HIDDEN_END

#endif
