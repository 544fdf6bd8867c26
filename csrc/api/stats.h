/* SPDX-License-Identifier: MIT */
/* What a socket has done: counters, and which of the kernel's offloads are engaged. */
#ifndef DG_API_STATS_H
#define DG_API_STATS_H

#include "../socket/socket.h"

DG_HIDDEN_BEGIN

/* Adds stats; the stack is as for dg_socket_open. */
void dg_stats_open(lua_State *L);

DG_HIDDEN_END

#endif
