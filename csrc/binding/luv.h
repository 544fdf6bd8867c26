/* SPDX-License-Identifier: MIT */
/* luv, as a table of Lua functions: found when it is first needed. Without it everything that needs no loop still works.
 * What is done with its functions is loop.h's and poll.h's. */
#ifndef DG_BINDING_LUV_H
#define DG_BINDING_LUV_H

#include "../net/hidden.h"
#include "compat.h"

DG_HIDDEN_BEGIN

/* Whether there is a luv, and the state is not being closed. */
int dg_luv_available(lua_State *L);
/* Raises, saying what to install, when there is none. */
void dg_luv_need(lua_State *L, const char *what);
/* Pushes one of its functions; there is a luv. */
void dg_luv_push(lua_State *L, const char *name);
/* After a call with three results: luv's functions return nil, message, name when they fail. Raises then. */
void dg_luv_check(lua_State *L, const char *call);

DG_HIDDEN_END

#endif
