/* SPDX-License-Identifier: MIT */
/* A Lua module: other Lua states on the same thread, for the specs. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

static lua_State **check(lua_State *L)
{
    lua_State **other = luaL_checkudata(L, 1, "spec.state");
    if (*other == NULL)
        luaL_error(L, "the state is closed");
    return other;
}

/* states.new() -> a state with Lua's libraries */
static int new_state(lua_State *L)
{
    lua_State **other = lua_newuserdata(L, sizeof *other);
    *other = luaL_newstate();
    if (*other == NULL)
        return luaL_error(L, "not enough memory");
    luaL_openlibs(*other);
    luaL_getmetatable(L, "spec.state");
    lua_setmetatable(L, -2);
    return 1;
}

/* state:run(source) -> the result, as a string or nil */
static int run(lua_State *L)
{
    lua_State *other = *check(L);
    const char *source = luaL_checkstring(L, 2);
    lua_settop(other, 0);
    if (luaL_loadstring(other, source) != 0 || lua_pcall(other, 0, 1, 0) != 0) {
        const char *reason = lua_tostring(other, -1);
        return luaL_error(L, "in the other state: %s", reason != NULL ? reason : "an error without a message");
    }
    const char *result = lua_tostring(other, -1);
    lua_pushstring(L, result);
    lua_settop(other, 0);
    return 1;
}

/* state:close() */
static int close_state(lua_State *L)
{
    lua_State **other = check(L), *closing = *other;
    *other = NULL;
    lua_close(closing);
    return 0;
}

int luaopen_spec_states(lua_State *L)
{
    static const luaL_Reg methods[] = {{"run", run}, {"close", close_state}, {NULL, NULL}};
    luaL_newmetatable(L, "spec.state");
    for (const luaL_Reg *each = methods; each->name != NULL; each++) {
        lua_pushcfunction(L, each->func);
        lua_setfield(L, -2, each->name);
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushcfunction(L, new_state);
    lua_setfield(L, -2, "new");
    return 1;
}
