/* SPDX-License-Identifier: MIT */
/* A loop that is found later than there are sockets: what they owe it (their polls, deferred work, events) is noted
 * then. work.h keeps account of it. */
#ifndef DG_SOCKET_OWED_H
#define DG_SOCKET_OWED_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* The state's on_loop. */
int dg_owed_note(lua_State *L);

/* Adds core.listened. The stack is as for dg_socket_open. */
void dg_owed_open(lua_State *L);

DG_HIDDEN_END

#endif
