/* SPDX-License-Identifier: MIT */
/* The send methods, and what waits for a name between them and the outbox. */
#ifndef DG_SOCKET_SEND_H
#define DG_SOCKET_SEND_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Adds them; the stack is as for dg_socket_open. */
void dg_send_open(lua_State *L);

DG_HIDDEN_END

#endif
