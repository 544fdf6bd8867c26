/* SPDX-License-Identifier: MIT */
/* Two Unix sockets that are connected to each other, for dgram.socketpair. */
#ifndef DG_SOCKET_PAIR_H
#define DG_SOCKET_PAIR_H

#include "../net/attributes.h"
#include "../lua/compat.h"

DG_HIDDEN_BEGIN

/* Adds core.pair; core and the table of methods are on top of the stack. */
void dg_pair_open(lua_State *L);

DG_HIDDEN_END

#endif
