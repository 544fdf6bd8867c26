/* SPDX-License-Identifier: MIT */
/* luv's loop as a guest in another one, in the words of cqueues' controllers: what to wait for, how long, and a turn.
 * Arguments too many are ignored, because such hosts pass the object. loop/due.h tells the host what these do not
 * show. */
#ifndef DG_API_GUEST_H
#define DG_API_GUEST_H

#include "../lua/compat.h"
#include "../net/attributes.h"

DG_HIDDEN_BEGIN

/* Adds pollfd, timeout and step to core, which is below the methods on top of the stack. */
void dg_guest_open(lua_State *L);

DG_HIDDEN_END

#endif
