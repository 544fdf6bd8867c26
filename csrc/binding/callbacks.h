/* SPDX-License-Identifier: MIT */
/* The callbacks of datagrams on their way. They are called in the order of the sends, so a ring in the socket's table
 * holds them; one that is given again and again is held once. */
#ifndef DG_BINDING_CALLBACKS_H
#define DG_BINDING_CALLBACKS_H

#include <stdint.h>

#include "../net/attributes.h"
#include "compat.h"

DG_HIDDEN_BEGIN

typedef struct dg_callbacks {
    unsigned waiting;    /* marks given out and not yet taken */
    unsigned head, tail; /* serial numbers of the callback taken last, and of that added last */
    unsigned room;       /* places of the ring, a power of two; 0 before the first */
    unsigned rings;      /* counts them: a new one takes the old one's place */
    const void *last;    /* the callback added last; while marks are waiting the ring keeps it where it is */
} dg_callbacks;

/* Marks of entries: without one, with the callback behind the last one's, with the last one's again. */
enum dg_mark { DG_MARK_NONE, DG_MARK_NEXT, DG_MARK_SAME };
/* Beside one of the last two: what stands in the callback's place is the datagram's group (group.h). */
enum { DG_MARK_GROUP = 4 };

static inline enum dg_mark dg_mark_of(uint32_t marks)
{
    return (enum dg_mark)(marks & (DG_MARK_GROUP - 1));
}

/* Whether there is a place for one more. */
static inline int dg_callbacks_have_room(const dg_callbacks *callbacks)
{
    /* One place is the head's, whose callback may serve several datagrams. */
    return callbacks->tail - callbacks->head + 1 < callbacks->room;
}

/* Makes one; the ring is in the table of the userdata at `owner`. This allocates, so finalizers may run in it that send
 * and close; nothing below does. */
DG_COLD void dg_callbacks_make_room(lua_State *L, dg_callbacks *callbacks, int owner);
/* Adds the callback at `index`, for which there is a place. Returns the datagram's mark. */
static inline enum dg_mark dg_callbacks_add(lua_State *L, dg_callbacks *callbacks, int owner, int index);
/* The half of it for one that is not the last one again. */
enum dg_mark dg_callbacks_add_next(lua_State *L, dg_callbacks *callbacks, int owner, int index);
/* Takes back what the last dg_callbacks_add did. */
void dg_callbacks_undo(dg_callbacks *callbacks, enum dg_mark mark);

/* For taking several: a place on the stack, and whose callback is there. */
typedef struct dg_taking {
    int slots;           /* the owner's table */
    int callback;        /* the place for the last one taken */
    unsigned ring, head; /* what was the ring, and the head, when it was taken: a nested dispatch may take others */
} dg_taking;

/* Makes those places on the stack. */
dg_taking dg_callbacks_begin(lua_State *L, int owner);
/* Pushes the callback of the next datagram that has one. */
static inline void dg_callbacks_take(lua_State *L, dg_callbacks *callbacks, dg_taking *taking, enum dg_mark mark);
/* The half of it for one that is not the one taken last. */
void dg_callbacks_take_next(lua_State *L, dg_callbacks *callbacks, dg_taking *taking, enum dg_mark mark);

static inline enum dg_mark dg_callbacks_add(lua_State *L, dg_callbacks *callbacks, int owner, int index)
{
    if (callbacks->waiting != 0 && callbacks->last == lua_topointer(L, index)) {
        callbacks->waiting++;
        return DG_MARK_SAME;
    }
    return dg_callbacks_add_next(L, callbacks, owner, index);
}

static inline void dg_callbacks_take(lua_State *L, dg_callbacks *callbacks, dg_taking *taking, enum dg_mark mark)
{
    callbacks->waiting--;
    if (mark == DG_MARK_NEXT || callbacks->waiting == 0 || taking->ring != callbacks->rings ||
        taking->head != callbacks->head)
        dg_callbacks_take_next(L, callbacks, taking, mark);
    lua_pushvalue(L, taking->callback);
}

DG_HIDDEN_END

#endif
