/* SPDX-License-Identifier: MIT */
/* Functions that not every Lua from 5.1 to 5.5 and LuaJIT has, under names of our own: LuaJIT has some of Lua 5.2's
 * functions, so the real names would clash. Nothing here knows dgram. */
#ifndef DG_LUA_COMPAT_H
#define DG_LUA_COMPAT_H

#include <lauxlib.h>
#include <lua.h>
#include <stdint.h>
#include <string.h>

static inline int dg_absindex(lua_State *L, int index)
{
    return index > 0 || index <= LUA_REGISTRYINDEX ? index : lua_gettop(L) + index + 1;
}

/* t[pointer], raw; pushes the value. */
static inline void dg_rawgetp(lua_State *L, int index, const void *pointer)
{
    index = dg_absindex(L, index);
    lua_pushlightuserdata(L, (void *)(size_t)pointer);
    lua_rawget(L, index);
}

/* t[pointer] = the value on top, raw; pops it. */
static inline void dg_rawsetp(lua_State *L, int index, const void *pointer)
{
    index = dg_absindex(L, index);
    lua_pushlightuserdata(L, (void *)(size_t)pointer);
    lua_insert(L, -2);
    lua_rawset(L, index);
}

static inline size_t dg_rawlen(lua_State *L, int index)
{
#if LUA_VERSION_NUM >= 502
    return (size_t)lua_rawlen(L, index);
#else
    return lua_objlen(L, index);
#endif
}

/* Returns whether the value is this string, to its last byte. */
static inline int dg_is_text(lua_State *L, int index, const char *text)
{
    return lua_type(L, index) == LUA_TSTRING && dg_rawlen(L, index) == strlen(text) &&
           memcmp(lua_tostring(L, index), text, strlen(text)) == 0;
}

/* Pushes t[i], raw, and returns its type. */
static inline int dg_rawgeti(lua_State *L, int index, size_t i)
{
#if LUA_VERSION_NUM >= 503
    return lua_rawgeti(L, index, (lua_Integer)i);
#else
    lua_rawgeti(L, index, (int)i);
    return lua_type(L, -1);
#endif
}

/* The main thread of the state, or NULL where that cannot be found out. */
static inline lua_State *dg_mainthread(lua_State *L)
{
#if LUA_VERSION_NUM >= 502
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua_State *main = lua_tothread(L, -1);
#else
    lua_State *main = lua_pushthread(L) ? L : NULL;
#endif
    lua_pop(L, 1);
    return main;
}

/* Makes a full userdata with a table of its own (its user value, or its environment in 5.1), which is an array of so
 * many slots at first. Pushes both: userdata, table. */
static inline void *dg_newuserdata(lua_State *L, size_t size, int slots)
{
#if LUA_VERSION_NUM >= 504
    void *block = lua_newuserdatauv(L, size, 1);
#else
    void *block = lua_newuserdata(L, size);
#endif
    lua_createtable(L, slots, 0);
    lua_pushvalue(L, -1);
#if LUA_VERSION_NUM >= 504
    lua_setiuservalue(L, -3, 1);
#elif LUA_VERSION_NUM >= 502
    lua_setuservalue(L, -3);
#else
    lua_setfenv(L, -3);
#endif
    return block;
}

/* Pushes the table of such a userdata. */
static inline void dg_getuservalue(lua_State *L, int index)
{
#if LUA_VERSION_NUM >= 504
    lua_getiuservalue(L, index, 1);
#elif LUA_VERSION_NUM >= 502
    lua_getuservalue(L, index);
#else
    lua_getfenv(L, index);
#endif
}

/* Sets the functions (NULL: none) into the table on top of the stack. They have no upvalues: from Lua 5.2 on such a
 * function is no object, so loading the module makes none, and a call reads none. */
static inline void dg_setfuncs(lua_State *L, const luaL_Reg *functions)
{
    for (; functions != NULL && functions->name != NULL; functions++) {
        lua_pushcfunction(L, functions->func);
        lua_setfield(L, -2, functions->name);
    }
}

/* Stores a number (a string is none) that is integral and has 64 bits at most; returns whether it is one. lua_Integer
 * does not do, because in Lua 5.1 and LuaJIT it has 32 bits on some machines, where numbers have more. */
static inline int dg_isinteger(lua_State *L, int index, int64_t *out)
{
    if (lua_type(L, index) != LUA_TNUMBER)
        return 0;
#if LUA_VERSION_NUM >= 503
    int integral;
    *out = lua_tointegerx(L, index, &integral);
    return integral;
#else
    lua_Number number = lua_tonumber(L, index);
    if (!(number >= -9223372036854775808.0 && number < 9223372036854775808.0)) /* NaN fails both comparisons */
        return 0;
    *out = (int64_t)number;
    return (lua_Number)*out == number;
#endif
}

/* Returns whether the value at `index` may see more than `count` arguments of a call. Only a Lua function with at most
 * so many parameters and no `...` may not. Lua 5.1 and LuaJIT do not show that to C, so there it always may. */
static inline int dg_takes_more(lua_State *L, int index, int count)
{
#if LUA_VERSION_NUM >= 502
    lua_Debug function;
    if (lua_type(L, index) != LUA_TFUNCTION)
        return 1;
    lua_pushvalue(L, index);
    lua_getinfo(L, ">u", &function); /* a function in C counts as one with `...` */
    return function.isvararg || function.nparams > count;
#else
    (void)L, (void)index, (void)count;
    return 1;
#endif
}

/* Pushes debug.traceback(message, level), or the message alone where there is no debug library. */
static inline void dg_traceback(lua_State *L, const char *message, int level)
{
#if LUA_VERSION_NUM >= 502 || defined(LUAJIT_VERSION_NUM)
    luaL_traceback(L, L, message, level);
#else
    (void)level;
    lua_getglobal(L, "debug");
    if (lua_istable(L, -1)) {
        lua_getfield(L, -1, "traceback");
        lua_remove(L, -2);
    }
    lua_pushstring(L, message != NULL ? message : "");
    if (lua_isfunction(L, -2)) {
        lua_pushinteger(L, level + 1);
        lua_call(L, 2, 1);
    } else {
        lua_remove(L, -2);
    }
#endif
}

/* Pushes tostring(value) as a string, whatever its __tostring does short of raising. */
static inline const char *dg_tolstring(lua_State *L, int index, size_t *length)
{
    index = dg_absindex(L, index);
    if (luaL_callmeta(L, index, "__tostring")) {
        if (lua_type(L, -1) == LUA_TSTRING)
            return lua_tolstring(L, -1, length);
        lua_pop(L, 1);
    }
    switch (lua_type(L, index)) {
    case LUA_TNUMBER:
    case LUA_TSTRING:
        lua_pushvalue(L, index);
        break;
    case LUA_TBOOLEAN:
        lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
        break;
    case LUA_TNIL:
        lua_pushliteral(L, "nil");
        break;
    default:
        lua_pushfstring(L, "%s: %p", luaL_typename(L, index), lua_topointer(L, index));
    }
    return lua_tolstring(L, -1, length);
}

#endif
