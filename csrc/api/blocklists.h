/* SPDX-License-Identifier: MIT */
/* dgram.BlockList: Node.js' net.BlockList, as a userdata around net/blocklist.h. */
#ifndef DG_API_BLOCKLISTS_H
#define DG_API_BLOCKLISTS_H

#include "../net/blocklist.h"
#include "../lua/compat.h"

DG_HIDDEN_BEGIN

/* Returns the list at an index; raises ERR_INVALID_ARG_TYPE for anything else. */
dg_blocklist *dg_blocklists_check(lua_State *L, int index, const char *name);

/* Adds core.BlockList; the stack is as for dg_socket_open. */
void dg_blocklists_open(lua_State *L);

DG_HIDDEN_END

#endif
