/* SPDX-License-Identifier: MIT */
/* luaopen_dgram: opens the module from the Lua files that are in the library. */
#include "dgram.h"

#include <lauxlib.h>
#include <lua.h>

#include "lua_files.h"

#if defined(__GNUC__)
#define EXPORT __attribute__((visibility("default")))
#else
#define EXPORT
#endif

extern int luaopen_dgram_core(lua_State *L);

/* What require calls for one file, with the module's name. The upvalue is the file's place in the list. */
static int open_file(lua_State *L)
{
    const dg_lua_file *file = &dg_lua_files[lua_tointeger(L, lua_upvalueindex(1))];
    lua_settop(L, 1);
    if (luaL_loadbuffer(L, file->text, file->length, file->chunk) != 0)
        return lua_error(L);
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

/* Pushes package.loaded and package.preload onto an empty stack. */
static void push_package(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
    if (lua_istable(L, -1))
        lua_getfield(L, -1, "package");
    if (lua_gettop(L) < 2 || !lua_istable(L, -1))
        luaL_error(L, "dgram needs Lua's package library: call luaL_openlibs before luaopen_dgram");
    lua_getfield(L, -1, "preload");
    lua_remove(L, -2);
}

EXPORT int luaopen_dgram(lua_State *L)
{
#if LUA_VERSION_NUM >= 502
    luaL_checkversion(L);
#endif
    lua_settop(L, 0);
    push_package(L);
    lua_getfield(L, 1, "dgram");
    if (lua_istable(L, -1)) /* while require opens a module, Lua 5.1 has a mark there that is none */
        return 1;
    lua_pushcfunction(L, luaopen_dgram_core);
    lua_setfield(L, 2, "dgram.core");
    for (int i = 0; dg_lua_files[i].module != NULL; i++) {
        lua_pushinteger(L, i);
        lua_pushcclosure(L, open_file, 1);
        lua_setfield(L, 2, dg_lua_files[i].module);
    }
    lua_getfield(L, 2, "dgram");
    lua_pushliteral(L, "dgram");
    lua_call(L, 1, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, 1, "dgram");
    return 1;
}
