/* SPDX-License-Identifier: MIT */
/* The callbacks of datagrams on their way. They are called in the order of the sends, nearly always, so a ring in the
 * socket's table holds them; one that is given again and again is held once. */
#ifndef DG_SOCKET_CALLBACKS_H
#define DG_SOCKET_CALLBACKS_H

#include <stdint.h>

#include "../net/attributes.h"
#include "../lua/compat.h"

DG_HIDDEN_BEGIN

typedef struct dg_callbacks {
    unsigned waiting;    /* tags given out and not yet taken */
    unsigned head, tail; /* serial numbers of the callback taken last, and of that added last */
    unsigned room;       /* places of the ring, a power of two; 0 before the first */
    unsigned rings;      /* counts them: a new one takes the old one's place */
    const void *last;    /* the callback added last; while tags are waiting the ring keeps it where it is */
    const void *key;     /* NULL: the ring is the socket's own; else that of a lane (lanes.h) in the socket's table */
} dg_callbacks;

/* The tag of a datagram in the send queue: 0 without a callback, else the serial number of its callback's place, with
 * these bits below it. */
enum {
    DG_TAG_NONE = 0,
    DG_TAG_CALLBACK = 1,
    DG_TAG_LIST = 2, /* what stands in the callback's place is the datagram's group (group.h) */
    DG_TAG_BITS = 2,
};

static inline unsigned dg_tag_serial(uint32_t tag)
{
    return tag >> DG_TAG_BITS;
}

/* Places in use: one is the head's, whose callback may serve several datagrams. */
static inline unsigned dg_callbacks_used(const dg_callbacks *callbacks)
{
    return ((callbacks->tail - callbacks->head) & (UINT32_MAX >> DG_TAG_BITS)) + 1;
}

/* Whether there is a place for one more. */
static inline int dg_callbacks_have_room(const dg_callbacks *callbacks)
{
    return dg_callbacks_used(callbacks) < callbacks->room;
}

/* Makes room for so many more; the ring is in the table of the userdata at `owner`. This allocates, so finalizers may
 * run in it that send and close; nothing below does. */
void dg_callbacks_make_room(lua_State *L, dg_callbacks *callbacks, int owner, unsigned more);
/* The same in two steps, for callbacks that may go while memory is allocated: the places of a ring that has room for so
 * many more, 0 where there is room; and a table of so many places, on top of the stack (popped), becomes the ring,
 * unless there is a ring as large by now. */
unsigned dg_callbacks_wanted(const dg_callbacks *callbacks, unsigned more);
void dg_callbacks_take_ring(lua_State *L, dg_callbacks *callbacks, int owner, unsigned room);
/* Adds the callback at `index`, for which there is a place. Returns the datagram's tag. */
static inline uint32_t dg_callbacks_add(lua_State *L, dg_callbacks *callbacks, int owner, int index);
/* The half of it for one that is not the last one again. */
void dg_callbacks_add_next(lua_State *L, dg_callbacks *callbacks, int owner, int index);
/* Pushes the callback of a tag, which keeps its place. */
void dg_callbacks_push(lua_State *L, const dg_callbacks *callbacks, int owner, uint32_t tag);

/* For taking several: places on the stack for the owner's table and for the callback taken last. */
typedef struct dg_taking {
    int slots;
    int callback;
    unsigned ring, head; /* what was the ring, and the head, when it was taken: a nested dispatch may take others */
} dg_taking;

/* Makes those places on the stack. */
dg_taking dg_callbacks_begin(lua_State *L, const dg_callbacks *callbacks, int owner);
/* Pushes the callback of the next datagram that has one. */
static inline void dg_callbacks_take(lua_State *L, dg_callbacks *callbacks, dg_taking *taking, uint32_t tag);
/* The half of it for one that is not the one taken last. */
void dg_callbacks_take_next(lua_State *L, dg_callbacks *callbacks, dg_taking *taking, unsigned serial);
/* So many datagrams with a tag are another queue's affair from now on. */
void dg_callbacks_give_away(lua_State *L, dg_callbacks *callbacks, int owner, unsigned count);

static inline uint32_t dg_callbacks_add(lua_State *L, dg_callbacks *callbacks, int owner, int index)
{
    if (callbacks->waiting != 0 && callbacks->last == lua_topointer(L, index))
        callbacks->waiting++;
    else
        dg_callbacks_add_next(L, callbacks, owner, index);
    return (uint32_t)callbacks->tail << DG_TAG_BITS | DG_TAG_CALLBACK;
}

static inline void dg_callbacks_take(lua_State *L, dg_callbacks *callbacks, dg_taking *taking, uint32_t tag)
{
    const unsigned serial = dg_tag_serial(tag);
    callbacks->waiting--;
    if (serial != taking->head || callbacks->waiting == 0 || taking->ring != callbacks->rings)
        dg_callbacks_take_next(L, callbacks, taking, serial);
    lua_pushvalue(L, taking->callback);
}

DG_HIDDEN_END

#endif
