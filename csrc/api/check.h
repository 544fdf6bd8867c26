/* SPDX-License-Identifier: MIT */
/* core.check: the checks of arguments for lua/dgram, which raise the same errors as the methods written in C. */
#ifndef DG_API_CHECK_H
#define DG_API_CHECK_H

#include "../net/attributes.h"
#include "../lua/compat.h"

DG_HIDDEN_BEGIN

/* Adds the table to core; core and methods are on top of the stack. */
void dg_check_open(lua_State *L);

DG_HIDDEN_END

#endif
