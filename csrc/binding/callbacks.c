/* SPDX-License-Identifier: MIT */
#include "callbacks.h"

#include "socket.h"

enum { FIRST_ROOM = 4 };

static int place(const dg_callbacks *callbacks, unsigned serial)
{
    return (int)(serial & (callbacks->room - 1)) + 1;
}

/* Pushes the ring. */
static void push_ring(lua_State *L, int slots)
{
    lua_rawgeti(L, slots, DG_SLOT_CALLBACKS);
}

/* Makes a ring of twice the room, with the callbacks at their new places, and puts it in the old one's stead. */
static void grow(lua_State *L, dg_callbacks *callbacks, int slots)
{
    dg_callbacks wider = *callbacks;
    wider.room = callbacks->room != 0 ? 2 * callbacks->room : FIRST_ROOM;
    push_ring(L, slots);
    lua_createtable(L, (int)wider.room, 0);
    for (unsigned serial = callbacks->head; callbacks->room != 0 && serial != callbacks->tail + 1; serial++) {
        lua_rawgeti(L, -2, place(callbacks, serial));
        lua_rawseti(L, -2, place(&wider, serial));
    }
    lua_rawseti(L, slots, DG_SLOT_CALLBACKS);
    lua_pop(L, 1);
    *callbacks = wider;
}

static int is_last_again(lua_State *L, const dg_callbacks *callbacks, int ring, int index)
{
    if (callbacks->waiting == 0)
        return 0;
    lua_rawgeti(L, ring, place(callbacks, callbacks->tail));
    int same = lua_rawequal(L, -1, index);
    lua_pop(L, 1);
    return same;
}

enum dg_mark dg_callbacks_add(lua_State *L, dg_callbacks *callbacks, int slots, int index)
{
    /* One place is the head's, whose callback may serve several datagrams. */
    if (callbacks->tail - callbacks->head + 1 >= callbacks->room)
        grow(L, callbacks, slots);
    push_ring(L, slots);
    int ring = lua_gettop(L), same = is_last_again(L, callbacks, ring, index);
    if (!same) {
        lua_pushvalue(L, index);
        lua_rawseti(L, ring, place(callbacks, callbacks->tail + 1));
        callbacks->tail++;
    }
    callbacks->waiting++;
    lua_pop(L, 1);
    return same ? DG_MARK_SAME : DG_MARK_NEXT;
}

void dg_callbacks_undo(dg_callbacks *callbacks, enum dg_mark mark)
{
    if (mark == DG_MARK_NONE)
        return;
    callbacks->waiting--;
    callbacks->tail -= mark == DG_MARK_NEXT;
}

static void clear(lua_State *L, int ring, int at)
{
    lua_pushnil(L);
    lua_rawseti(L, ring, at);
}

void dg_callbacks_take(lua_State *L, dg_callbacks *callbacks, int slots, enum dg_mark mark)
{
    push_ring(L, slots);
    int ring = lua_gettop(L);
    if (mark == DG_MARK_NEXT) {
        clear(L, ring, place(callbacks, callbacks->head));
        callbacks->head++;
    }
    lua_rawgeti(L, ring, place(callbacks, callbacks->head));
    /* When nobody waits the ring must not keep the last one alive. */
    if (--callbacks->waiting == 0)
        clear(L, ring, place(callbacks, callbacks->head));
    lua_remove(L, ring);
}
