/* SPDX-License-Identifier: MIT */
/* Receiving by calls: who asks takes the next datagram, and nobody is called. Who waits for one is known to
 * lua/dgram/receive.lua alone. */
#ifndef DG_SOCKET_TAKE_H
#define DG_SOCKET_TAKE_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Makes core.take and core.takeMany; the hooks are set. */
void dg_take_configure(lua_State *L);

/* For the socket at index 1, in a function with the upvalues of receive.h: pushes the next datagram of the batch at
 * hand and its rinfo, as far as the turn goes; else returns 0. */
int dg_take_one(lua_State *L, dg_socket *s);

DG_HIDDEN_END

#endif
