/* SPDX-License-Identifier: MIT */
#include "luv.h"

#include "error.h"
#include "hub.h"

/* At lua_close everything is finalized, the youngest first: so a sentinel that is younger than all of luv's handles
 * tells in time that none may be touched any more. A new handle gets a new sentinel; the old one is garbage, and says
 * nothing. */
static int sentinel_gc(lua_State *L)
{
    dg_hub *hub = dg_hub_of(L);
    if (lua_touserdata(L, 1) == hub->sentinel)
        hub->luv_gone = 1;
    return 0;
}

static void guard(lua_State *L)
{
    void *sentinel = lua_newuserdata(L, 1);
    dg_hub_get(L, DG_STORE_SENTINEL_META);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_createtable(L, 0, 1);
        lua_pushcfunction(L, sentinel_gc);
        lua_setfield(L, -2, "__gc");
        lua_pushvalue(L, -1);
        dg_hub_set(L, DG_STORE_SENTINEL_META);
    }
    lua_setmetatable(L, -2);
    dg_hub_of(L)->sentinel = sentinel;
    dg_hub_set(L, DG_STORE_SENTINEL);
}

/* Pushes package.loaded.luv if that is luv, else nothing. Returns which. Nearly everybody has loaded it by now. */
static int push_loaded(lua_State *L)
{
    int top = lua_gettop(L);
    lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
    if (lua_istable(L, -1)) {
        lua_pushliteral(L, "luv");
        lua_rawget(L, -2);
    }
    if (lua_istable(L, -1) && lua_gettop(L) == top + 2) {
        lua_pushliteral(L, "new_poll");
        lua_rawget(L, -2);
        if (lua_isfunction(L, -1)) {
            lua_pop(L, 1);
            lua_replace(L, top + 1);
            return 1;
        }
    }
    lua_settop(L, top);
    return 0;
}

/* Pushes luv, or whatever else the Lua side finds. luv calls back on the thread that it was loaded from, for ever: that
 * must not be a coroutine, which ends. */
static void find_uv(lua_State *L)
{
    if (push_loaded(L))
        return;
    dg_hub *hub = dg_hub_of(L);
    lua_State *main = hub->main != NULL ? hub->main : L;
    luaL_checkstack(main, 10, "dgram");
    dg_hub_get(main, DG_STORE_HOOKS);
    lua_getfield(main, -1, "findUv");
    lua_remove(main, -2);
    if (lua_pcall(main, 0, 1, 0) != 0) {
        lua_pop(main, 1);
        lua_pushnil(main);
    }
    if (main != L)
        lua_xmove(main, L, 1);
}

/* Pushes luv's module table and returns 1, or pushes nothing and returns 0. */
static int push_uv(lua_State *L)
{
    if (dg_hub_of(L)->luv_gone)
        return 0;
    dg_hub_get(L, DG_STORE_UV);
    if (lua_istable(L, -1))
        return 1;
    lua_pop(L, 1);
    find_uv(L);
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        return 0;
    }
    lua_pushvalue(L, -1);
    dg_hub_set(L, DG_STORE_UV);
    guard(L);
    return 1;
}

void dg_luv_push(lua_State *L, const char *name)
{
    dg_hub_get(L, DG_STORE_UV);
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
}

int dg_luv_available(lua_State *L)
{
    int found = push_uv(L);
    if (found)
        lua_pop(L, 1);
    return found;
}

void dg_luv_need(lua_State *L, const char *what)
{
    if (!dg_luv_available(L))
        dg_error_raise(L, "Error", "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM",
                       "%s needs an event loop: neither require \"luv\" nor require \"uv\" finds one. "
                       "Install luv (luarocks install luv, or Debian's lua-luv)",
                       what);
}

void dg_luv_check(lua_State *L, const char *call)
{
    if (!lua_isnil(L, -3))
        return;
    const char *code = lua_tostring(L, -1);
    dg_error_raise(L, "Error", code != NULL ? code : "UNKNOWN", "%s %s", call, lua_tostring(L, -2));
}

void dg_luv_new(lua_State *L, const char *constructor, int arguments)
{
    dg_luv_push(L, constructor);
    lua_insert(L, -arguments - 1);
    lua_call(L, arguments, 3);
    dg_luv_check(L, constructor);
    lua_pop(L, 2);
    guard(L);
}

int dg_luv_is_closing(lua_State *L)
{
    dg_luv_push(L, "is_closing");
    lua_pushvalue(L, -2);
    lua_call(L, 1, 1);
    int closing = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return closing;
}

void dg_luv_call(lua_State *L, const char *name)
{
    if (!dg_luv_is_closing(L)) {
        dg_luv_push(L, name);
        lua_pushvalue(L, -2);
        lua_call(L, 1, 0);
    }
    lua_pop(L, 1);
}
