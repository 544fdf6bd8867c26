/* SPDX-License-Identifier: MIT */
/* A program with dgram inside, as small as can be: static_host SCRIPT; without a script it opens dgram in a state without
 * libraries, and prints what that says. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>

#include "dgram.h"

static int end(lua_State *L, int status)
{
    if (status != 0)
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    lua_close(L);
    return status != 0;
}

int main(int argc, char **argv)
{
    lua_State *L = luaL_newstate();
    if (argc < 2) {
        lua_pushcfunction(L, luaopen_dgram);
        return end(L, lua_pcall(L, 0, 0, 0));
    }
    luaL_openlibs(L);
    lua_pushcfunction(L, luaopen_dgram);
    lua_setglobal(L, "open_dgram");
    return end(L, luaL_loadfile(L, argv[1]) || lua_pcall(L, 0, 0, 0));
}
