/* SPDX-License-Identifier: MIT */
/* Delivers what has come for a socket: goes through its batch, and receives the next one, within the budgets of the
 * turn. How a datagram gets to the receiver is receive.h's affair, and how it gets into lists is that of lists.h. */
#ifndef DG_SOCKET_DELIVER_H
#define DG_SOCKET_DELIVER_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Delivers the rest of the batch, then (`readable`) what the kernel has. To be called from the dispatch body. Raises
 * what a listener raises; the cursor is past its datagram then. */
void dg_deliver(lua_State *L, int index, dg_socket *s, int readable);

DG_HIDDEN_END

#endif
