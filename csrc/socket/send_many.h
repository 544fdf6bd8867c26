/* SPDX-License-Identifier: MIT */
/* Queues the strings of a list for sendMany: each is a datagram of its own, all have one destination and one
 * callback. */
#ifndef DG_SOCKET_SEND_MANY_H
#define DG_SOCKET_SEND_MANY_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Accepts each string of the list at an index, for the socket at index 1, and hands them to the kernel where they may
 * go now. The function at `callback` (0: there is none) is called once, later: callback(first error, how many were
 * sent). Returns what dg_send_queue_put does for the last datagram. */
int dg_send_many(lua_State *L, dg_socket *s, int list, const dg_route *route, int callback);

DG_HIDDEN_END

#endif
