/* SPDX-License-Identifier: MIT */
#include "list_callback.h"

/* The slots of the userdata's table. */
enum { CALLBACK = 1, FIRST_ERROR };

dg_list_callback *dg_list_callback_new(lua_State *L, int callback)
{
    callback = dg_absindex(L, callback);
    dg_list_callback *list_callback = dg_newuserdata(L, sizeof *list_callback, FIRST_ERROR);
    *list_callback = (dg_list_callback){0, 0, 0};
    lua_pushvalue(L, callback);
    lua_rawseti(L, -2, CALLBACK);
    lua_pop(L, 1);
    return list_callback;
}

void dg_list_callback_fail(lua_State *L, int index)
{
    dg_getuservalue(L, index);
    lua_rawgeti(L, -1, FIRST_ERROR);
    int first = lua_isnil(L, -1);
    lua_pop(L, 1);
    if (first) {
        lua_pushvalue(L, -2);
        lua_rawseti(L, -2, FIRST_ERROR);
    }
    lua_pop(L, 2);
}

void dg_list_callback_push_result(lua_State *L, int index)
{
    const dg_list_callback *list_callback = lua_touserdata(L, index);
    dg_getuservalue(L, index);
    lua_rawgeti(L, -1, CALLBACK);
    lua_rawgeti(L, -2, FIRST_ERROR);
    lua_remove(L, -3);
    lua_pushinteger(L, (lua_Integer)list_callback->sent);
}
