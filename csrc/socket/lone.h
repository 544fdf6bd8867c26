/* SPDX-License-Identifier: MIT */
/* The common call of receive: a coroutine that waits alone, for ever, on a socket without listeners. It does what
 * lua/dgram/receive.lua does for all calls, at a third of the cost, and hands over to that where anything is otherwise.
 * From Lua 5.3 on: before, a C function cannot yield again. */
#ifndef DG_SOCKET_LONE_H
#define DG_SOCKET_LONE_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* core.loneReceive, core.loneServe, core.setLone, core.openQueue, core.closeQueue and core.setGuard, core.leave. */
void dg_lone_open(lua_State *L);

DG_HIDDEN_END

#endif
