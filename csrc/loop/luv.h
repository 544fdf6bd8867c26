/* SPDX-License-Identifier: MIT */
/* luv, as a table of Lua functions: found when it is first needed. Without it everything that needs no loop still
 * works. What is done with its functions is loop.h's, poll.h's and timer.h's. */
#ifndef DG_LOOP_LUV_H
#define DG_LOOP_LUV_H

#include "../net/attributes.h"
#include "../lua/compat.h"

DG_HIDDEN_BEGIN

/* Whether there is a luv, and the state is not being closed. */
int dg_luv_available(lua_State *L);
/* Raises, saying what to install, when there is none. */
void dg_luv_need(lua_State *L, const char *what);
/* Pushes one of its functions; there is a luv. */
void dg_luv_push(lua_State *L, const char *name);
/* After a call with three results: luv's functions return nil, message, name when they fail. Raises then. */
void dg_luv_check(lua_State *L, const char *call);

/* Whether the handle on top of the stack (which stays) is being closed: programs close what uv.walk shows them, and luv
 * does not survive another use. */
int dg_luv_is_closing(lua_State *L);
/* Pops that handle, and calls the function with it unless it is being closed. */
void dg_luv_call(lua_State *L, const char *name);
/* Calls one of luv's constructors with so many arguments, which are on top of the stack and popped; pushes the handle.
 * Raises what luv says. dg_luv_available tells from now on when the handle must not be touched any more. */
void dg_luv_new(lua_State *L, const char *constructor, int arguments);

DG_HIDDEN_END

#endif
