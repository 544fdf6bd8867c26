/* SPDX-License-Identifier: MIT */
/* The methods that send: arguments to destination, and the sends that wait for a name. What happens to a datagram after
 * that is send_queue.h's affair. */
#ifndef DG_SOCKET_SEND_H
#define DG_SOCKET_SEND_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Adds them; the stack is as for dg_socket_open. */
void dg_send_open(lua_State *L);

DG_HIDDEN_END

#endif
