/* SPDX-License-Identifier: MIT */
/* detach: a socket gives its descriptor away, open, and closes without it. adopt.h takes such a descriptor. */
#ifndef DG_SOCKET_DETACH_H
#define DG_SOCKET_DETACH_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Adds detach. The stack is as for dg_socket_open. */
void dg_detach_open(lua_State *L);

DG_HIDDEN_END

#endif
