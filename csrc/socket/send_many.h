/* SPDX-License-Identifier: MIT */
/* The strings of a list, each a datagram of its own, with one destination and one callback: sendMany's work. */
#ifndef DG_SOCKET_SEND_MANY_H
#define DG_SOCKET_SEND_MANY_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Accepts each string of the list at an index, for the socket at index 1, and hands them over where they may go now.
 * The function at `callback` (0: there is none) is called once, later: callback(first error, how many went). Returns
 * what dg_send_queue_put does for the last one. */
int dg_send_many(lua_State *L, dg_socket *s, int list, const dg_address *to, int callback);

DG_HIDDEN_END

#endif
