/* SPDX-License-Identifier: MIT */
/* The callbacks of datagrams that wait or are to be reported. They are nearly always called in the order of the sends,
 * so a ring in the socket's table holds them; a function that is given several times in a row has one place. Nobody is
 * called here: report.h does that. */
#ifndef DG_SOCKET_CALLBACKS_H
#define DG_SOCKET_CALLBACKS_H

#include <stdint.h>

#include "../net/attributes.h"
#include "../lua/compat.h"

DG_HIDDEN_BEGIN

typedef struct dg_callbacks {
    unsigned waiting;      /* tags that were added and not yet taken */
    unsigned head, tail;   /* serials of the callback taken last, and of the callback added last */
    unsigned room;         /* places of the ring, a power of two; 0: there is no ring */
    unsigned rings;        /* how many rings there were: a larger ring replaces the old one */
    unsigned char of_lane; /* the ring is a lane's (lanes.h), not the socket's own */
    const void *last;      /* address of the callback added last; while tags are waiting the ring keeps it alive */
} dg_callbacks;

/* The callback tag of a datagram in the send queue: 0 without a callback, else the serial of its callback, with these
 * bits below it. */
enum {
    DG_TAG_NONE = 0,
    DG_TAG_CALLBACK = 1,
    DG_TAG_LIST = 2, /* the callback's place holds a list callback (list_callback.h) */
    DG_TAG_BITS = 2,
};

static inline unsigned dg_tag_serial(uint32_t tag)
{
    return tag >> DG_TAG_BITS;
}

/* Returns how many places are in use. The head's place is one of them: its callback may be several datagrams'. */
static inline unsigned dg_callbacks_used(const dg_callbacks *callbacks)
{
    return ((callbacks->tail - callbacks->head) & (UINT32_MAX >> DG_TAG_BITS)) + 1;
}

/* Returns whether there is a place for one more callback. */
static inline int dg_callbacks_have_room(const dg_callbacks *callbacks)
{
    return dg_callbacks_used(callbacks) < callbacks->room;
}

/* Makes room for so many more callbacks; the ring is in the table of the userdata at `owner`. This allocates, so
 * finalizers may run in it. The functions below allocate nothing. */
void dg_callbacks_make_room(lua_State *L, dg_callbacks *callbacks, int owner, unsigned more);
/* The same in two steps, for a struct that may be freed while memory is allocated. The first returns how many places a
 * ring needs to have room for so many more, or 0 where there is room. The second pops a table of so many places and
 * makes it the ring, unless the ring is as large by now. */
unsigned dg_callbacks_wanted(const dg_callbacks *callbacks, unsigned more);
void dg_callbacks_take_ring(lua_State *L, dg_callbacks *callbacks, int owner, unsigned room);
/* Adds the callback at `index`, for which there is room. Returns the datagram's tag. */
static inline uint32_t dg_callbacks_add(lua_State *L, dg_callbacks *callbacks, int owner, int index);
/* The half of it for a callback other than the last one. */
void dg_callbacks_add_next(lua_State *L, dg_callbacks *callbacks, int owner, int index);
/* Pushes the callback of a tag, which keeps its place. */
void dg_callbacks_push(lua_State *L, const dg_callbacks *callbacks, int owner, uint32_t tag);

/* For taking several callbacks: stack indexes of the owner's table and of the callback taken last. */
typedef struct dg_callback_cursor {
    int slots;
    int callback;
    unsigned ring, head; /* `rings` and `head` when it was taken: a nested dispatch may have taken others since */
} dg_callback_cursor;

/* Makes a cursor, and its two places on the stack. */
dg_callback_cursor dg_callbacks_begin(lua_State *L, const dg_callbacks *callbacks, int owner);
/* Takes and pushes the callback of the next datagram that has one. */
static inline void dg_callbacks_take(lua_State *L, dg_callbacks *callbacks, dg_callback_cursor *cursor, uint32_t tag);
/* The half of it for a callback other than the one taken last. */
void dg_callbacks_take_next(lua_State *L, dg_callbacks *callbacks, dg_callback_cursor *cursor, unsigned serial);
/* So many datagrams with a tag have moved to another queue. */
void dg_callbacks_give_away(lua_State *L, dg_callbacks *callbacks, int owner, unsigned count);

static inline uint32_t dg_callbacks_add(lua_State *L, dg_callbacks *callbacks, int owner, int index)
{
    if (callbacks->waiting != 0 && callbacks->last == lua_topointer(L, index))
        callbacks->waiting++;
    else
        dg_callbacks_add_next(L, callbacks, owner, index);
    return (uint32_t)callbacks->tail << DG_TAG_BITS | DG_TAG_CALLBACK;
}

static inline void dg_callbacks_take(lua_State *L, dg_callbacks *callbacks, dg_callback_cursor *cursor, uint32_t tag)
{
    const unsigned serial = dg_tag_serial(tag);
    callbacks->waiting--;
    if (serial != cursor->head || callbacks->waiting == 0 || cursor->ring != callbacks->rings)
        dg_callbacks_take_next(L, callbacks, cursor, serial);
    lua_pushvalue(L, cursor->callback);
}

DG_HIDDEN_END

#endif
