/* SPDX-License-Identifier: MIT */
#include "hub.h"

#include <string.h>

#include "../net/descriptor.h"

static int hub_gc(lua_State *L)
{
    dg_hub *hub = lua_touserdata(L, 1);
    if (hub->graves != 0)
        dg_hub_get(L, DG_STORE_GRAVES);
    for (; hub->graves != 0; hub->graves--) {
        lua_rawgeti(L, -1, (int)(2 * hub->graves));
        if (lua_tointeger(L, -1) >= 0)
            dg_descriptor_close((int)lua_tointeger(L, -1));
        lua_pop(L, 1);
    }
    if (hub->alarm >= 0)
        dg_descriptor_close(hub->alarm);
    hub->alarm = -1;
    dg_arena_free(hub->arena);
    dg_fifo_free(&hub->spare);
    dg_cache_free(hub->addresses);
    hub->arena = NULL;
    hub->addresses = NULL;
    /* Sockets that are finalized later must not find luv either. */
    hub->luv_gone = 1;
    return 0;
}

static void new_weak_table(lua_State *L)
{
    lua_newtable(L);
    lua_newtable(L);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
}

dg_hub *dg_hub_open(lua_State *L)
{
    dg_registry_open(L);
    dg_hub *hub = dg_newuserdata(L, sizeof *hub, 0);
    lua_pop(L, 1);
    memset(hub, 0, sizeof *hub);
    hub->main = dg_mainthread(L);
    hub->alarm = -1;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, hub_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_rawseti(L, -2, DG_STORE_HUB);
    new_weak_table(L);
    lua_rawseti(L, -2, DG_STORE_SOCKETS);
    static const int tables[] = {DG_STORE_ANCHORS, DG_STORE_GRAVES};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        lua_newtable(L);
        lua_rawseti(L, -2, tables[i]);
    }
    return hub;
}

dg_hub *dg_hub_of(lua_State *L)
{
    dg_hub_get(L, DG_STORE_HUB);
    dg_hub *hub = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return hub;
}

void dg_hub_push_callback(lua_State *L, lua_CFunction function)
{
    dg_hub_store(L);
    lua_rawgeti(L, -1, DG_STORE_MESSAGE_HANDLER);
    lua_rawgeti(L, -2, DG_STORE_BODY);
    lua_remove(L, -3);
    lua_pushcclosure(L, function, 3);
}

dg_arena *dg_hub_take_arena(dg_hub *hub)
{
    dg_arena *arena = hub->arena;
    hub->arena = NULL;
    return arena != NULL ? arena : dg_arena_new();
}

void dg_hub_give_arena(dg_hub *hub, dg_arena *arena)
{
    if (hub->arena == NULL && !hub->luv_gone)
        hub->arena = arena;
    else
        dg_arena_free(arena);
}
