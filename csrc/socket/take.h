/* SPDX-License-Identifier: MIT */
/* Receiving by calls: who asks takes the next datagram, and nobody is called. Who waits for one is known to
 * lua/dgram/receive.lua alone. */
#ifndef DG_SOCKET_TAKE_H
#define DG_SOCKET_TAKE_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Makes core.take and core.takeMany; the hooks are set. */
void dg_take_configure(lua_State *L);

DG_HIDDEN_END

#endif
