/* SPDX-License-Identifier: MIT */
/* socket:stats(): counters, and which of the kernel's offloads are in use. The counts are kept by socket/receive.c and
 * net/transmit.c. */
#ifndef DG_API_STATS_H
#define DG_API_STATS_H

#include "../socket/socket.h"

DG_HIDDEN_BEGIN

/* Adds stats; the stack is as for dg_socket_open. */
void dg_stats_open(lua_State *L);

DG_HIDDEN_END

#endif
