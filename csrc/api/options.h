/* SPDX-License-Identifier: MIT */
/* The methods that set and get socket options. */
#ifndef DG_API_OPTIONS_H
#define DG_API_OPTIONS_H

#include "../net/attributes.h"
#include "../lua/compat.h"

DG_HIDDEN_BEGIN

/* Adds them to the table of methods on top of the stack. */
void dg_options_open(lua_State *L);

DG_HIDDEN_END

#endif
