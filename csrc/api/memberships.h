/* SPDX-License-Identifier: MIT */
/* The methods that join and leave multicast groups, of any source or of one. */
#ifndef DG_API_MEMBERSHIPS_H
#define DG_API_MEMBERSHIPS_H

#include "../net/attributes.h"
#include "../lua/compat.h"

DG_HIDDEN_BEGIN

/* Adds them to the table of methods on top of the stack. */
void dg_memberships_open(lua_State *L);

DG_HIDDEN_END

#endif
