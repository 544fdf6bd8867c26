/* SPDX-License-Identifier: MIT */
/* What a host is told in whose loop luv's is a guest (api/guest.c): that the loop has something to do which its
 * descriptor and its timers do not show. This file notes that and calls the function that was given to dgram.onDue; the
 * host steps then. */
#ifndef DG_LOOP_DUE_H
#define DG_LOOP_DUE_H

#include "state.h"

DG_HIDDEN_BEGIN

/* Notes that something became due, a handle was started, or a timer: the loop has to make a turn before anybody waits
 * for its descriptor. Calls the host's function, once for each turn, unless the loop runs; its errors are kept as those
 * of listeners. The function may do whatever a finalizer may. */
void dg_due_note(lua_State *L, dg_state *state);
/* A turn of the loop begins: it looks at all that was noted. */
void dg_due_forget(dg_state *state);

/* Adds onDue to core, which is on top of the stack. */
void dg_due_add(lua_State *L);

DG_HIDDEN_END

#endif
