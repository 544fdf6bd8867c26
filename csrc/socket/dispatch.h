/* SPDX-License-Identifier: MIT */
/* From the loop into dgram and back. Every callback of luv's comes in here. It does its work in one protected call,
 * which is entered again after an error, and on the way out it starts or stops the idle handle. What a socket does with
 * its events is ready.h's affair. */
#ifndef DG_SOCKET_DISPATCH_H
#define DG_SOCKET_DISPATCH_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* core.run([mode]): runs uv.run, then raises the errors that dgram's callbacks raised and no handler took. */
int dg_dispatch_run(lua_State *L);
/* Sets the functions of the state that luv's handles call. */
void dg_dispatch_open(lua_State *L);
/* Makes the body of dispatches. The hooks are set by then. */
void dg_dispatch_configure(lua_State *L);

DG_HIDDEN_END

#endif
