/* SPDX-License-Identifier: MIT */
#include "callbacks.h"

#include "socket.h"

enum { FIRST_ROOM = 4, KEPT_ROOM = 1024 };

static int place(const dg_callbacks *callbacks, unsigned serial)
{
    return (int)(serial & (callbacks->room - 1)) + 1;
}

/* Pushes the ring. */
static void push_ring(lua_State *L, int slots)
{
    lua_rawgeti(L, slots, DG_SLOT_CALLBACKS);
}

/* Puts a ring of `room` places, which is on top of the stack, in the old one's stead; pops it. */
static void replace_ring(lua_State *L, dg_callbacks *callbacks, int slots, unsigned room)
{
    dg_callbacks wider = *callbacks;
    wider.room = room;
    push_ring(L, slots);
    for (unsigned serial = callbacks->head; callbacks->room != 0 && serial != callbacks->tail + 1; serial++) {
        lua_rawgeti(L, -1, place(callbacks, serial));
        lua_rawseti(L, -3, place(&wider, serial));
    }
    lua_pop(L, 1);
    lua_rawseti(L, slots, DG_SLOT_CALLBACKS);
    callbacks->room = room;
}

/* One place is the head's, whose callback may serve several datagrams. */
static int is_full(const dg_callbacks *callbacks)
{
    return callbacks->tail - callbacks->head + 1 >= callbacks->room;
}

void dg_callbacks_make_room(lua_State *L, dg_callbacks *callbacks, int slots)
{
    while (is_full(callbacks)) {
        unsigned room = callbacks->room;
        lua_createtable(L, (int)(room != 0 ? 2 * room : FIRST_ROOM), 0);
        if (callbacks->room == room) /* else a finalizer sent something meanwhile, and made room itself */
            replace_ring(L, callbacks, slots, room != 0 ? 2 * room : FIRST_ROOM);
        else
            lua_pop(L, 1);
    }
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
    /* When nobody waits the ring must not keep the last one alive, nor much memory. */
    if (--callbacks->waiting == 0)
        clear(L, ring, place(callbacks, callbacks->head));
    lua_remove(L, ring);
    if (callbacks->waiting == 0 && callbacks->room > KEPT_ROOM) {
        clear(L, slots, DG_SLOT_CALLBACKS);
        callbacks->room = callbacks->head = callbacks->tail = 0;
    }
}
