/* SPDX-License-Identifier: MIT */
/* Runs a Lua script again and again, each time in a state and a process of its own, with memory running out at another
 * allocation: Lua's and those of dgram's C core, which is compiled in with -Dmalloc=host_malloc -Drealloc=host_realloc.
 *
 *     oom_host SCRIPT FIRST STEP WIDTH     fails the allocations n .. n + WIDTH - 1, for n = FIRST, FIRST + STEP, ...
 *
 * Ends when the script needs fewer than n allocations. Writes a line for each run that went wrong, and a summary. */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

enum { ENOUGH = 0, WRONG = 3, DESCRIPTORS = 4, NEVER_FAILED = 7, SECONDS = 20 };

static long count, first_failing, width;
static int counting;

extern int luaopen_dgram_core(lua_State *L);
void *host_malloc(size_t size);
void *host_realloc(void *block, size_t size);

static int fails(void)
{
    return counting && ++count >= first_failing && count < first_failing + width;
}

void *host_malloc(size_t size)
{
    return fails() ? NULL : malloc(size);
}

void *host_realloc(void *block, size_t size)
{
    return fails() ? NULL : realloc(block, size);
}

/* Lua relies on shrinking a block. Blocks are always moved, so that a pointer kept over an allocation is noticed. */
static void *lua_memory(void *user, void *block, size_t old, size_t size)
{
    (void)user;
    if (size == 0) {
        free(block);
        return NULL;
    }
    if ((block == NULL || size > old) && fails())
        return NULL;
    return realloc(block, size);
}

/* memory(): ends the shortage and the counting. */
static int memory_is_back(lua_State *L)
{
    lua_pushboolean(L, count >= first_failing);
    counting = 0;
    return 1;
}

static int run_script(lua_State *L)
{
    lua_gc(L, LUA_GCSTOP, 0);
    luaL_openlibs(L);
    lua_gc(L, LUA_GCRESTART, 0);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, luaopen_dgram_core);
    lua_setfield(L, -2, "dgram.core");
    lua_pushcfunction(L, memory_is_back);
    lua_setglobal(L, "memory");
    lua_settop(L, 1);
    if (luaL_loadfile(L, lua_touserdata(L, 1)) != 0)
        return lua_error(L);
    counting = 1;
    lua_call(L, 0, 0);
    return 0;
}

static int is_for_memory(lua_State *L)
{
    const char *message = lua_tostring(L, -1);
    return message != NULL && strstr(message, "not enough memory") != NULL;
}

static int run_once(char *script)
{
    int result = ENOUGH;
    lua_State *L = lua_newstate(lua_memory, NULL);
    lua_pushcfunction(L, run_script);
    lua_pushlightuserdata(L, script);
    int status = lua_pcall(L, 1, 0, 0);
    counting = 0;
    if (status != 0 && status != LUA_ERRMEM && !is_for_memory(L)) {
        fprintf(stderr, "raised: %s\n", lua_tostring(L, -1) != NULL ? lua_tostring(L, -1) : luaL_typename(L, -1));
        result = WRONG;
    }
    lua_close(L);
    return result;
}

static int descriptors(void)
{
    int open = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return 0;
    while (readdir(folder) != NULL)
        open++;
    closedir(folder);
    return open;
}

static int child(char *script)
{
    int before = descriptors();
    alarm(SECONDS);
    int result = run_once(script), after = descriptors();
    if (result == ENOUGH && after != before) {
        fprintf(stderr, "descriptors: %d before, %d after\n", before, after);
        result = DESCRIPTORS;
    }
    return result == ENOUGH && count < first_failing ? NEVER_FAILED : result;
}

/* What went wrong in one run, or NULL. */
static const char *verdict(int status, char *room, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(room, size, WTERMSIG(status) == SIGALRM ? "hangs" : "ends by signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status) == DESCRIPTORS)
        snprintf(room, size, "leaves descriptors open");
    else if (WEXITSTATUS(status) != ENOUGH)
        snprintf(room, size, "ends with status %d", WEXITSTATUS(status));
    else
        return NULL;
    return room;
}

int main(int argc, char **argv)
{
    char text[64];
    int runs = 0, bad = 0;
    if (argc != 5)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    first_failing = 1L << 60; /* once without a shortage: libuv opens what it keeps for the process */
    if (run_once(argv[1]) != ENOUGH)
        return 1;
    printf("%ld allocations\n", count);
    width = atol(argv[4]);
    for (first_failing = atol(argv[2]);; first_failing += atol(argv[3])) {
        int status;
        count = 0;
        pid_t pid = fork();
        if (pid == 0)
            exit(child(argv[1]));
        waitpid(pid, &status, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == NEVER_FAILED)
            break;
        runs++;
        if (verdict(status, text, sizeof text) == NULL)
            continue;
        bad++;
        printf("not ok: allocation %ld: %s\n", first_failing, text);
    }
    printf("%d runs, %d bad\n", runs, bad);
    return bad != 0;
}
