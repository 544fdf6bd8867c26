/* SPDX-License-Identifier: MIT */
/* The other end of a socket: its peer. Names are not looked up here; the Lua side does that, and comes back with a
 * literal. */
#ifndef DG_SOCKET_CONNECT_H
#define DG_SOCKET_CONNECT_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* For methods without arguments: the socket at index 1; raises unless it is connected. */
dg_socket *dg_connect_check(lua_State *L);
/* Adds remoteAddress, disconnect; core.connect, core.setConnecting. The stack is as for dg_socket_open. */
void dg_connect_open(lua_State *L);

DG_HIDDEN_END

#endif
