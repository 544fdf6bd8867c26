/* SPDX-License-Identifier: MIT */
/* The callbacks of datagrams on their way. They are called in the order of the sends, so a ring in the socket's table holds
 * them; one that is given again and again is held once. */
#ifndef DG_BINDING_CALLBACKS_H
#define DG_BINDING_CALLBACKS_H

#include "../net/hidden.h"
#include "compat.h"

DG_HIDDEN_BEGIN

typedef struct dg_callbacks {
    unsigned waiting;    /* marks given out and not yet taken */
    unsigned head, tail; /* serial numbers of the callback taken last, and of that added last */
    unsigned room;       /* places of the ring, a power of two; 0 before the first */
} dg_callbacks;

/* Marks of entries: without one, with the callback behind the last one's, with the last one's again. */
enum dg_mark { DG_MARK_NONE, DG_MARK_NEXT, DG_MARK_SAME };
/* Beside one of these: the datagram is one of several whose callback is the last one's. */
enum { DG_MARK_GROUP = 4 };

/* Makes a place for one more; the ring is in the table at `slots`. This allocates, so finalizers may run in it that send
 * and close; nothing below does. */
void dg_callbacks_make_room(lua_State *L, dg_callbacks *callbacks, int slots);
/* Adds the callback at `index`, for which there is a place. Returns the datagram's mark. */
enum dg_mark dg_callbacks_add(lua_State *L, dg_callbacks *callbacks, int slots, int index);
/* Takes back what the last dg_callbacks_add did. */
void dg_callbacks_undo(dg_callbacks *callbacks, enum dg_mark mark);
/* Pushes the callback of the next datagram that has one. */
void dg_callbacks_take(lua_State *L, dg_callbacks *callbacks, int slots, enum dg_mark mark);

DG_HIDDEN_END

#endif
