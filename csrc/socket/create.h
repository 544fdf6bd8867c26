/* SPDX-License-Identifier: MIT */
/* How a socket comes to be: its descriptor, with the options that must be set before bind. */
#ifndef DG_SOCKET_CREATE_H
#define DG_SOCKET_CREATE_H

#include "../net/attributes.h"
#include "../lua/compat.h"

DG_HIDDEN_BEGIN

/* Adds core.open and core.setLimits; core and the table of methods are on top of the stack. */
void dg_create_open(lua_State *L);

DG_HIDDEN_END

#endif
