/* SPDX-License-Identifier: MIT */
/* Connecting to a peer, and disconnecting. A datagram socket's connect(2) only notes the peer. Names are not looked up
 * here: lua/dgram/lookup.lua does that, and calls again with a literal. */
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
