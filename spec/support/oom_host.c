/* SPDX-License-Identifier: MIT */
/* Runs a Lua script again and again, each time in a state and a process of its own, with memory running out at another
 * allocation: Lua's and those of dgram's C core, which is compiled in with -Dmalloc=host_malloc -Drealloc=host_realloc
 * -Dfree=host_free -Dstrdup=host_strdup.
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

enum { ENOUGH = 0, WRONG = 3, DESCRIPTORS = 4, BLOCKS = 5, NEVER_FAILED = 7, SECONDS = 5, MOST_BAD = 20 };

static long count, first_failing, width, blocks;
static int counting, starving;

extern int luaopen_dgram_core(lua_State *L);
void *host_malloc(size_t size);
void *host_realloc(void *block, size_t size);
void host_free(void *block);
char *host_strdup(const char *text);
const char *__asan_default_options(void);

/* luv leaks handles where Lua has no memory for them; the core's own blocks are counted here. */
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static int fails(void)
{
    return counting && (starving || (++count >= first_failing && count < first_failing + width));
}

void *host_malloc(size_t size)
{
    void *block = fails() ? NULL : malloc(size);
    blocks += block != NULL;
    return block;
}

void *host_realloc(void *block, size_t size)
{
    void *moved = fails() ? NULL : realloc(block, size);
    blocks += block == NULL && moved != NULL;
    return moved;
}

char *host_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = host_malloc(size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

void host_free(void *block)
{
    blocks -= block != NULL;
    free(block);
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
    counting = starving = 0;
    return 1;
}

/* starve(): every allocation fails until memory() is called. */
static int starve(lua_State *L)
{
    (void)L;
    starving = 1;
    return 0;
}

/* What a shielded function (in the upvalue) needs is always there: luv has its own faults without memory. */
static int call_shielded(lua_State *L)
{
    int was = counting;
    counting = 0;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    counting = was;
    return status == 0 ? lua_gettop(L) : lua_error(L);
}

static int shield(lua_State *L)
{
    lua_settop(L, 1);
    lua_pushcclosure(L, call_shielded, 1);
    return 1;
}

static int run_script(lua_State *L)
{
    lua_gc(L, LUA_GCSTOP, 0);
    luaL_openlibs(L);
    lua_gc(L, LUA_GCRESTART, 0);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, luaopen_dgram_core);
    lua_setfield(L, -2, "dgram.core");
    lua_register(L, "memory", memory_is_back);
    lua_register(L, "starve", starve);
    lua_register(L, "shield", shield);
    if (luaL_loadfile(L, lua_touserdata(L, 1)) != 0)
        return lua_error(L);
    counting = 1;
    lua_call(L, 0, 0);
    return 0;
}

static int run_once(char *script)
{
    int result = ENOUGH;
#if LUA_VERSION_NUM >= 505
    lua_State *L = lua_newstate(lua_memory, NULL, 0);
#else
    lua_State *L = lua_newstate(lua_memory, NULL);
#endif
    lua_pushcfunction(L, run_script);
    lua_pushlightuserdata(L, script);
    int status = lua_pcall(L, 1, 0, 0);
    counting = starving = 0;
    const char *message = status != 0 ? luaL_tolstring(L, -1, NULL) : "";
    if (status != 0 && status != LUA_ERRMEM && strstr(message, "not enough memory") == NULL) {
        fprintf(stderr, "raised: %s\n", message);
        result = WRONG;
    }
    lua_close(L);
    return result;
}

static int descriptors(void)
{
    int open = 0;
    DIR *folder = opendir("/proc/self/fd");
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
    if (result == ENOUGH && blocks != 0) {
        fprintf(stderr, "blocks of memory: %ld\n", blocks);
        result = BLOCKS;
    }
    return result == ENOUGH && count < first_failing ? NEVER_FAILED : result;
}

/* Writes what went wrong in one run; returns whether anything did. */
static int tell(int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == ENOUGH)
        return 0;
    if (WIFEXITED(status))
        printf("not ok: allocation %ld: ends with status %d\n", first_failing, WEXITSTATUS(status));
    else
        printf("not ok: allocation %ld: %s\n", first_failing, strsignal(WTERMSIG(status)));
    return 1;
}

int main(int argc, char **argv)
{
    int runs = 0, bad = 0;
    if (argc != 5)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    first_failing = 1L << 60; /* once without a shortage: libuv opens what it keeps for the process */
    if (run_once(argv[1]) != ENOUGH)
        return 1;
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
        bad += tell(status);
        if (bad == MOST_BAD) { /* every run is, most likely, and would be for ever */
            printf("and so on\n");
            break;
        }
    }
    printf("%d runs, %d bad\n", runs, bad);
    return bad != 0;
}
