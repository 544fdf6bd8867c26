/* SPDX-License-Identifier: MIT */
#include "registry.h"

static const char registry_key = 0; /* its address is the key */

void dg_registry_open(lua_State *L)
{
    lua_createtable(L, DG_REGISTRY_SOURCE, 0);
    lua_pushvalue(L, -1);
    dg_rawsetp(L, LUA_REGISTRYINDEX, &registry_key);
}

void dg_registry_push(lua_State *L)
{
    dg_rawgetp(L, LUA_REGISTRYINDEX, &registry_key);
}

void dg_registry_get(lua_State *L, int slot)
{
    dg_registry_push(L);
    lua_rawgeti(L, -1, slot);
    lua_remove(L, -2);
}

void dg_registry_set(lua_State *L, int slot)
{
    dg_registry_push(L);
    lua_insert(L, -2);
    lua_rawseti(L, -2, slot);
    lua_pop(L, 1);
}
