/* SPDX-License-Identifier: MIT */
/* Makes a socket: the userdata, its descriptor, and the options that must be set before bind. */
#ifndef DG_SOCKET_CREATE_H
#define DG_SOCKET_CREATE_H

#include "../net/attributes.h"
#include "../lua/compat.h"

DG_HIDDEN_BEGIN

/* Adds core.open. The stack is as for dg_socket_open. */
void dg_create_open(lua_State *L);

DG_HIDDEN_END

#endif
