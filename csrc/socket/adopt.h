/* SPDX-License-Identifier: MIT */
/* bind{fd = n}: a descriptor that other code has opened, as systemd does, takes the place of the socket's own one. What
 * such a descriptor is, net/descriptor.h finds out. */
#ifndef DG_SOCKET_ADOPT_H
#define DG_SOCKET_ADOPT_H

#include "../net/attributes.h"
#include "../lua/compat.h"

DG_HIDDEN_BEGIN

/* Adds core.adopt. */
void dg_adopt_open(lua_State *L);

DG_HIDDEN_END

#endif
