/* SPDX-License-Identifier: MIT */
/* From the loop into dgram and back: every callback that luv makes comes in here, does its work under one protected call
 * that is entered again after an error, and leaves with the loop in order. Errors that nobody caught go to the handler of
 * setUncaughtHandler, to dgram.run, or to luv. */
#ifndef DG_BINDING_DISPATCH_H
#define DG_BINDING_DISPATCH_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* luv's callback for a socket's poll, as a closure over (the socket or its light userdata, the hub's store). Arguments:
 * error, events. */
int dg_dispatch_poll(lua_State *L);
/* luv's callback for a socket's retry timer, a closure over the same. */
int dg_dispatch_retry(lua_State *L);
/* luv's callback for the tick. */
int dg_dispatch_tick(lua_State *L);

/* Pushes what went uncaught as one value to raise, and forgets it; returns 0 and pushes nothing when all was well. */
int dg_dispatch_take_uncaught(lua_State *L);

/* core.setUncaughtHandler(fn | nil) */
int dg_dispatch_set_handler(lua_State *L);
/* Makes what dispatches need; the hooks are set. */
void dg_dispatch_open(lua_State *L);

DG_HIDDEN_END

#endif
