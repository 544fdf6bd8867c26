/* SPDX-License-Identifier: MIT */
/* A Lua module: fork(2) for the specs. */
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* in_child(fn) -> pid: calls fn in a child, which ends with its result as status, or with 99 and a message. */
static int in_child(lua_State *L)
{
    pid_t pid = fork();
    if (pid != 0) {
        lua_pushinteger(L, pid);
        return 1;
    }
    lua_settop(L, 1);
    int status = lua_pcall(L, 0, 1, 0) == 0 ? (int)lua_tointeger(L, -1) : 99;
    if (status == 99) {
        lua_getglobal(L, "tostring");
        lua_insert(L, -2);
        lua_call(L, 1, 1);
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    }
    fflush(NULL);
    _exit(status);
}

/* wait(pid) -> the child's exit status, or nil */
static int wait_for(lua_State *L)
{
    int status;
    if (waitpid((pid_t)luaL_checkinteger(L, 1), &status, 0) < 0 || !WIFEXITED(status))
        return 0;
    lua_pushinteger(L, WEXITSTATUS(status));
    return 1;
}

int luaopen_spec_fork(lua_State *L)
{
    lua_newtable(L);
    lua_pushcfunction(L, in_child);
    lua_setfield(L, -2, "in_child");
    lua_pushcfunction(L, wait_for);
    lua_setfield(L, -2, "wait");
    return 1;
}
