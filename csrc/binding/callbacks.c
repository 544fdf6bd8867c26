/* SPDX-License-Identifier: MIT */
#include "callbacks.h"

#include "slots.h"

enum { FIRST_ROOM = 4, KEPT_ROOM = 1024 };

static int place(const dg_callbacks *callbacks, unsigned serial)
{
    return (int)(serial & (callbacks->room - 1)) + 1;
}

/* Puts a ring of `room` places, which is on top of the stack, in the old one's stead; pops it. */
static void replace_ring(lua_State *L, dg_callbacks *callbacks, int slots, unsigned room)
{
    dg_callbacks wider = *callbacks;
    wider.room = room;
    lua_rawgeti(L, slots, DG_SLOT_CALLBACKS);
    for (unsigned serial = callbacks->head; callbacks->room != 0 && serial != callbacks->tail + 1; serial++) {
        lua_rawgeti(L, -1, place(callbacks, serial));
        lua_rawseti(L, -3, place(&wider, serial));
    }
    lua_pop(L, 1);
    lua_rawseti(L, slots, DG_SLOT_CALLBACKS);
    callbacks->room = room;
    callbacks->rings++;
}

void dg_callbacks_make_room(lua_State *L, dg_callbacks *callbacks, int owner)
{
    dg_getuservalue(L, owner);
    int slots = lua_gettop(L);
    while (!dg_callbacks_have_room(callbacks)) {
        unsigned room = callbacks->room;
        lua_createtable(L, (int)(room != 0 ? 2 * room : FIRST_ROOM), 0);
        if (callbacks->room == room) /* else a finalizer sent something meanwhile, and made room itself */
            replace_ring(L, callbacks, slots, room != 0 ? 2 * room : FIRST_ROOM);
        else
            lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

enum dg_mark dg_callbacks_add_next(lua_State *L, dg_callbacks *callbacks, int owner, int index)
{
    callbacks->waiting++;
    callbacks->last = lua_topointer(L, index);
    callbacks->tail++;
    dg_getuservalue(L, owner);
    lua_rawgeti(L, -1, DG_SLOT_CALLBACKS);
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, place(callbacks, callbacks->tail));
    lua_pop(L, 2);
    return DG_MARK_NEXT;
}

void dg_callbacks_undo(dg_callbacks *callbacks, enum dg_mark mark)
{
    if (mark == DG_MARK_NONE)
        return;
    callbacks->waiting--;
    if (mark != DG_MARK_NEXT)
        return;
    callbacks->tail--;
    callbacks->last = NULL; /* the one before it is no more at hand; at worst it is kept twice */
}

dg_taking dg_callbacks_begin(lua_State *L, int owner)
{
    dg_taking taking = {lua_gettop(L) + 1, lua_gettop(L) + 2, 0, 0};
    dg_getuservalue(L, owner);
    lua_pushnil(L);
    return taking;
}

static void clear(lua_State *L, int table, int at)
{
    lua_pushnil(L);
    lua_rawseti(L, table, at);
}

/* The head's place is cleared when the next one becomes the head, and when nobody waits: then the ring must not keep
 * the last one alive, nor much memory. */
void dg_callbacks_take_next(lua_State *L, dg_callbacks *callbacks, dg_taking *taking, enum dg_mark mark)
{
    lua_rawgeti(L, taking->slots, DG_SLOT_CALLBACKS);
    int ring = lua_gettop(L);
    if (mark == DG_MARK_NEXT) {
        clear(L, ring, place(callbacks, callbacks->head));
        callbacks->head++;
    }
    lua_rawgeti(L, ring, place(callbacks, callbacks->head));
    lua_replace(L, taking->callback);
    taking->ring = callbacks->rings;
    taking->head = callbacks->head;
    if (callbacks->waiting == 0)
        clear(L, ring, place(callbacks, callbacks->head));
    lua_pop(L, 1);
    if (callbacks->waiting == 0 && callbacks->room > KEPT_ROOM) {
        clear(L, taking->slots, DG_SLOT_CALLBACKS);
        callbacks->room = callbacks->head = callbacks->tail = 0;
    }
}
