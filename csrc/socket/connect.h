/* SPDX-License-Identifier: MIT */
/* The other end of a socket: its peer. Names are not looked up here; the Lua side does that, and comes back with a
 * literal. */
#ifndef DG_SOCKET_CONNECT_H
#define DG_SOCKET_CONNECT_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Adds remoteAddress, disconnect; core.connect, core.setConnecting. The stack is as for dg_socket_open. */
void dg_connect_open(lua_State *L);

DG_HIDDEN_END

#endif
