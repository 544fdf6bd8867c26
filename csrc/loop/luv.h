/* SPDX-License-Identifier: MIT */
/* luv as a table of Lua functions, or another loop that has the same functions (dgram.setLoop). luv is loaded when it
 * is first needed: with it comes the loop, which a process that forks must not have. Without luv everything that needs
 * no loop still works. This file finds and calls luv's functions; idle.h, interval_timer.h, step_timer.h and
 * socket/watch.h know what to call. */
#ifndef DG_LOOP_LUV_H
#define DG_LOOP_LUV_H

#include "../net/attributes.h"
#include "../lua/compat.h"

DG_HIDDEN_BEGIN

/* Returns whether there is a luv, and the Lua state is not being closed. Loads luv. When it was found for the first
 * time, both call the state's on_loop. */
int dg_luv_available(lua_State *L);
/* Does the same, but loads nothing: for what needs a loop only if there is one already. */
int dg_luv_present(lua_State *L);
/* Raises an error that says what to install, where there is no luv. */
void dg_luv_need(lua_State *L, const char *what);
/* Returns whether the loop is Neovim's own, which runs it. (A thread of Neovim's has a loop of its own, and no
 * vim.api.) */
int dg_luv_is_neovims(lua_State *L);
/* Pushes one of luv's functions. The caller knows that there is a luv. */
void dg_luv_push(lua_State *L, const char *name);
/* Calls a function that not every loop has, without arguments, and pushes its result. Returns 0 and pushes nothing
 * where the loop does not have it. */
int dg_luv_ask(lua_State *L, const char *name);
/* Calls a function of luv's, which is on the stack with its arguments, and pops its results. Raises if it failed: luv's
 * functions return nil, message, name then. */
void dg_luv_start(lua_State *L, const char *name, int arguments);

/* Returns whether the handle on top of the stack, which stays there, is being closed. Programs close what uv.walk shows
 * them, and luv crashes when a closed handle is used. */
int dg_luv_is_closing(lua_State *L);
/* Pops the handle on top of the stack, and calls the function with it, unless the handle is being closed or the loop
 * does not have the function. */
void dg_luv_call(lua_State *L, const char *name);
/* Calls one of luv's constructors with so many arguments, which are popped from the stack; pushes the handle. Raises
 * what luv says. Once the handle must not be touched any more, dg_luv_available returns 0. */
void dg_luv_new(lua_State *L, const char *constructor, int arguments);

/* Adds setLoop to core, which is on top of the stack. */
void dg_luv_add(lua_State *L);

DG_HIDDEN_END

#endif
