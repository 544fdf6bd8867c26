/* SPDX-License-Identifier: MIT */
/* Errors that listeners and callbacks raise. They go to the handler of setUncaughtHandler; without one they are kept,
 * and dgram.run raises them, or dgram's callback raises them to luv. */
#ifndef DG_LOOP_UNCAUGHT_H
#define DG_LOOP_UNCAUGHT_H

#include "state.h"

DG_HIDDEN_BEGIN

/* The message handler of protected calls: notes the traceback, and returns the error as it is. */
int dg_uncaught_handler(lua_State *L);
/* Pushes it, in a callback of dg_state_push_callback's. Allocates nothing. */
static inline void dg_uncaught_push_handler(lua_State *L)
{
#if LUA_VERSION_NUM >= 502
    lua_pushcfunction(L, dg_uncaught_handler);
#else
    lua_pushvalue(L, DG_UP_MESSAGE_HANDLER);
#endif
}

/* Pops an error that a protected call with the state's message handler caught, and hands it to the handler or keeps it.
 * Never raises: an error that there is no memory to keep is counted. */
void dg_uncaught_take(lua_State *L, dg_state *state);
/* Pushes the kept errors as one value to raise, and forgets them. Returns 0 and pushes nothing when there are none. */
int dg_uncaught_push(lua_State *L);

/* Raises the kept errors as a string, unless a dispatch or dgram.run is on the C stack, which will do so; else returns
 * 0. */
int dg_uncaught_raise(lua_State *L, const dg_state *state);

/* Puts the message handler into the registry. */
void dg_uncaught_open(lua_State *L);
/* Adds messageHandler, finish, xpcall and setUncaughtHandler to core, which is on top of the stack. */
void dg_uncaught_add(lua_State *L);

DG_HIDDEN_END

#endif
