/* SPDX-License-Identifier: MIT */
#include "callbacks.h"

#include "slots.h"

enum { FIRST_ROOM = 4, KEPT_ROOM = 1024 };

static int place(const dg_callbacks *callbacks, unsigned serial)
{
    return (int)(serial & (callbacks->room - 1)) + 1;
}

/* Pushes the table that has the ring in DG_SLOT_CALLBACKS. */
static void push_slots(lua_State *L, const dg_callbacks *callbacks, int owner)
{
    dg_getuservalue(L, owner);
    if (!callbacks->of_lane)
        return;
    lua_rawgeti(L, -1, DG_SLOT_LANES);
    dg_rawgetp(L, -1, callbacks);
    lua_insert(L, -3);
    lua_pop(L, 2);
}

/* Serials have as many bits as tags leave for them. */
static unsigned next(unsigned serial)
{
    return (serial + 1) & (UINT32_MAX >> DG_TAG_BITS);
}

/* Pops a table of `room` places, which replaces the ring. */
static void replace_ring(lua_State *L, dg_callbacks *callbacks, int slots, unsigned room)
{
    dg_callbacks wider = *callbacks;
    wider.room = room;
    lua_rawgeti(L, slots, DG_SLOT_CALLBACKS);
    for (unsigned serial = callbacks->head; callbacks->room != 0 && serial != next(callbacks->tail);
         serial = next(serial)) {
        lua_rawgeti(L, -1, place(callbacks, serial));
        lua_rawseti(L, -3, place(&wider, serial));
    }
    lua_pop(L, 1);
    lua_rawseti(L, slots, DG_SLOT_CALLBACKS);
    callbacks->room = room;
    callbacks->rings++;
}

static int has_room_for(const dg_callbacks *callbacks, unsigned more)
{
    return dg_callbacks_used(callbacks) + more < callbacks->room;
}

unsigned dg_callbacks_wanted(const dg_callbacks *callbacks, unsigned more)
{
    if (has_room_for(callbacks, more))
        return 0;
    unsigned room = callbacks->room != 0 ? 2 * callbacks->room : FIRST_ROOM;
    while (room <= dg_callbacks_used(callbacks) + more)
        room *= 2;
    return room;
}

void dg_callbacks_take_ring(lua_State *L, dg_callbacks *callbacks, int owner, unsigned room)
{
    if (callbacks->room >= room) { /* a finalizer has sent meanwhile, and made room itself */
        lua_pop(L, 1);
        return;
    }
    push_slots(L, callbacks, owner);
    lua_insert(L, -2);
    replace_ring(L, callbacks, lua_gettop(L) - 1, room);
    lua_pop(L, 1);
}

void dg_callbacks_make_room(lua_State *L, dg_callbacks *callbacks, int owner, unsigned more)
{
    unsigned room;
    while ((room = dg_callbacks_wanted(callbacks, more)) != 0) {
        lua_createtable(L, (int)room, 0);
        dg_callbacks_take_ring(L, callbacks, owner, room);
    }
}

void dg_callbacks_add_next(lua_State *L, dg_callbacks *callbacks, int owner, int index)
{
    callbacks->waiting++;
    callbacks->last = lua_topointer(L, index);
    callbacks->tail = next(callbacks->tail);
    push_slots(L, callbacks, owner);
    lua_rawgeti(L, -1, DG_SLOT_CALLBACKS);
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, place(callbacks, callbacks->tail));
    lua_pop(L, 2);
}

void dg_callbacks_push(lua_State *L, const dg_callbacks *callbacks, int owner, uint32_t tag)
{
    push_slots(L, callbacks, owner);
    lua_rawgeti(L, -1, DG_SLOT_CALLBACKS);
    lua_rawgeti(L, -1, place(callbacks, dg_tag_serial(tag)));
    lua_insert(L, -3);
    lua_pop(L, 2);
}

static void clear(lua_State *L, int table, int at)
{
    lua_pushnil(L);
    lua_rawseti(L, table, at);
}

/* No datagram with a callback waits any more. The ring, at an index, must not keep a function alive. */
static void clear_rest(lua_State *L, dg_callbacks *callbacks, int ring)
{
    for (; callbacks->head != callbacks->tail; callbacks->head = next(callbacks->head))
        clear(L, ring, place(callbacks, callbacks->head));
    clear(L, ring, place(callbacks, callbacks->tail));
}

void dg_callbacks_give_away(lua_State *L, dg_callbacks *callbacks, int owner, unsigned count)
{
    callbacks->waiting -= count;
    if (callbacks->waiting != 0 || callbacks->room == 0)
        return;
    push_slots(L, callbacks, owner);
    lua_rawgeti(L, -1, DG_SLOT_CALLBACKS);
    clear_rest(L, callbacks, lua_gettop(L));
    lua_pop(L, 2);
}

dg_callback_cursor dg_callbacks_begin(lua_State *L, const dg_callbacks *callbacks, int owner)
{
    dg_callback_cursor cursor = {lua_gettop(L) + 1, lua_gettop(L) + 2, callbacks->rings - 1, 0};
    push_slots(L, callbacks, owner);
    lua_pushnil(L);
    return cursor;
}

/* Clears the places before the one that is taken; and its own place when no other datagram waits, because then the ring
 * must neither keep the function alive nor much memory. */
void dg_callbacks_take_next(lua_State *L, dg_callbacks *callbacks, dg_callback_cursor *cursor, unsigned serial)
{
    lua_rawgeti(L, cursor->slots, DG_SLOT_CALLBACKS);
    int ring = lua_gettop(L);
    for (; callbacks->head != serial; callbacks->head = next(callbacks->head))
        clear(L, ring, place(callbacks, callbacks->head));
    lua_rawgeti(L, ring, place(callbacks, serial));
    lua_replace(L, cursor->callback);
    cursor->ring = callbacks->rings;
    cursor->head = serial;
    if (callbacks->waiting == 0)
        clear_rest(L, callbacks, ring);
    lua_pop(L, 1);
    if (callbacks->waiting == 0 && callbacks->room > KEPT_ROOM) {
        clear(L, cursor->slots, DG_SLOT_CALLBACKS);
        callbacks->room = callbacks->head = callbacks->tail = 0;
        callbacks->rings++;
    }
}
