/* SPDX-License-Identifier: MIT */
/* From the loop into dgram and back: every callback that luv makes comes in here, does its work under one protected
 * call that is entered again after an error, and leaves with the loop in order. */
#ifndef DG_SOCKET_DISPATCH_H
#define DG_SOCKET_DISPATCH_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* core.run([mode]): uv.run, but raises what went uncaught in dgram's callbacks. */
int dg_dispatch_run(lua_State *L);
/* Tells the state what luv's handles are to call. */
void dg_dispatch_open(lua_State *L);
/* Makes what dispatches need of the hooks, which are set. */
void dg_dispatch_configure(lua_State *L);

DG_HIDDEN_END

#endif
