/* SPDX-License-Identifier: MIT */
/* Descriptors that come from elsewhere, as systemd hands them over: one takes the place of the socket's own. */
#ifndef DG_SOCKET_ADOPT_H
#define DG_SOCKET_ADOPT_H

#include "../net/attributes.h"
#include "../lua/compat.h"

DG_HIDDEN_BEGIN

/* Adds core.adopt. */
void dg_adopt_open(lua_State *L);

DG_HIDDEN_END

#endif
