/* SPDX-License-Identifier: MIT */
/* Errors that listeners and callbacks raise: they go to the handler of setUncaughtHandler, or are kept for dgram.run or
 * luv. */
#ifndef DG_LOOP_UNCAUGHT_H
#define DG_LOOP_UNCAUGHT_H

#include "state.h"

DG_HIDDEN_BEGIN

/* Pops an error that a protected call with the state's message handler caught, and sees to it. Never raises: without
 * the memory to keep the error, that is noted at least. */
void dg_uncaught_take(lua_State *L, dg_state *state);
/* Pushes what went uncaught as one value to raise, and forgets it; returns 0 and pushes nothing when all was well. */
int dg_uncaught_push(lua_State *L);

/* Raises what went uncaught, as a string, where neither a dispatch nor dgram.run will see to it; else returns 0. */
int dg_uncaught_raise(lua_State *L, const dg_state *state);

/* Makes the message handler. */
void dg_uncaught_open(lua_State *L);
/* Adds messageHandler, finish, xpcall and setUncaughtHandler to core, which is on top of the stack. */
void dg_uncaught_add(lua_State *L);

DG_HIDDEN_END

#endif
