/* SPDX-License-Identifier: MIT */
/* A server in C with Lua inside: some threads, each with a Lua state and a loop of its own, which share one UDP port.
 *
 *   dgram-host THREADS PORT SCRIPT [ARGUMENT...]
 *
 * Each thread's state calls the script with the thread's number (1 and up), the port, and the arguments. The script makes
 * its sockets, and returns a table:
 *   port       the port that it has bound; the threads after the first get this one, so PORT may be 0
 *   reload()   called after SIGHUP
 *   report()   called after SIGUSR1
 *   stop()     called after SIGTERM or SIGINT; it has to end the loop. A second signal ends the process at once.
 * The exit status is 1 when a script fails before the threads run, or a loop does not end well. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <luv/luv.h>
#include <uv.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "dgram.h"

enum { MOST_WORKERS = 256 };

enum { RELOAD = 1, REPORT = 2, STOP = 4 }; /* orders, a set */

static const char *const methods[] = {"reload", "report", "stop"}; /* in the order of their bits */

typedef struct worker {
    pthread_t thread;
    uv_loop_t loop;
    uv_async_t wake;
    atomic_uint orders;
    lua_State *L; /* the script's table is at index 1 */
    int number, failed;
} worker;

/* Tells, and pops, what a script has raised. */
static void complain(worker *self, const char *what)
{
    lua_State *L = self->L;
    if (luaL_callmeta(L, -1, "__tostring"))
        lua_remove(L, -2);
    const char *message = lua_tostring(L, -1);
    fprintf(stderr, "worker %d: %s: %s\n", self->number, what, message != NULL ? message : luaL_typename(L, -1));
    lua_pop(L, 1);
    self->failed = 1;
}

/* Calls the function below `arguments` values. Returns 0 if it raised, which is told. */
static int call(worker *self, int arguments, int results, const char *what)
{
    if (lua_pcall(self->L, arguments, results, 0) == 0)
        return 1;
    complain(self, what);
    return 0;
}

static void call_method(worker *self, const char *name)
{
    lua_getfield(self->L, 1, name);
    call(self, 0, 0, name);
}

/* libuv's callback, on the worker's thread. Signals that came one soon after another may be one call. */
static void on_wake(uv_async_t *wake)
{
    worker *self = (worker *)(void *)((char *)wake - offsetof(worker, wake));
    const unsigned orders = atomic_exchange(&self->orders, 0);
    for (unsigned i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (orders & 1U << i)
            call_method(self, methods[i]);
}

static void order(worker *self, unsigned what)
{
    atomic_fetch_or(&self->orders, what);
    uv_async_send(&self->wake);
}

/* luv is told of the loop before it is opened. */
static int open_libraries(lua_State *L)
{
    luaL_openlibs(L);
    luv_set_loop(L, lua_touserdata(L, 1));
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, luaopen_luv);
    lua_setfield(L, -2, "luv");
    lua_pushcfunction(L, luaopen_dgram);
    lua_setfield(L, -2, "dgram");
    return 0;
}

/* Makes a worker, and runs its script. Returns the script's port, or -1 after a failure. */
static int begin(worker *self, int port, char **arguments)
{
    lua_State *L = self->L = luaL_newstate();
    if (L == NULL || uv_loop_init(&self->loop) != 0 || uv_async_init(&self->loop, &self->wake, on_wake) != 0)
        return -1;
    self->wake.data = NULL;               /* luv leaves handles alone that are not its own */
    uv_unref((uv_handle_t *)&self->wake); /* the sockets keep the loop alive, and not this */
    lua_pushcfunction(L, open_libraries);
    lua_pushlightuserdata(L, &self->loop);
    if (!call(self, 1, 0, "libraries"))
        return -1;
    if (luaL_loadfile(L, arguments[0]) != 0) {
        complain(self, "script");
        return -1;
    }
    lua_pushinteger(L, self->number);
    lua_pushinteger(L, port);
    int count = 2;
    for (char **argument = arguments + 1; *argument != NULL; argument++, count++)
        lua_pushstring(L, *argument);
    if (!call(self, count, 1, "script"))
        return -1;
    lua_getfield(L, 1, "port");
    port = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return port;
}

static const char close_all[] = "require('luv').walk(function(handle)\n"
                                "  if not handle:is_closing() then handle:close() end\n"
                                "end)";

/* Closes whatever handles the script has left. luv's have to be closed by luv, and while the state is there. */
static void close_handles(worker *self)
{
    uv_close((uv_handle_t *)&self->wake, NULL);
    uv_run(&self->loop, UV_RUN_NOWAIT);
    if (luaL_loadstring(self->L, close_all) == 0)
        call(self, 0, 0, "end");
    uv_run(&self->loop, UV_RUN_DEFAULT);
}

static void *run(void *argument)
{
    worker *self = argument;
    uv_run(&self->loop, UV_RUN_DEFAULT);
    close_handles(self);
    lua_close(self->L);
    if (uv_loop_close(&self->loop) != 0) {
        fprintf(stderr, "worker %d: its loop has handles left\n", self->number);
        self->failed = 1;
    }
    return NULL;
}

/* Waits for signals, and passes them on; returns after SIGTERM or SIGINT. */
static void rule(worker *workers, int count, const sigset_t *signals)
{
    for (;;) {
        int signal;
        sigwait(signals, &signal);
        const unsigned what = signal == SIGHUP ? RELOAD : signal == SIGUSR1 ? REPORT : STOP;
        for (int i = 0; i < count; i++)
            order(&workers[i], what);
        if (what == STOP)
            return;
    }
}

int main(int argc, char **argv)
{
    const int count = argc < 4 ? 0 : atoi(argv[1]);
    int port = argc < 4 ? 0 : atoi(argv[2]);
    if (count < 1 || count > MOST_WORKERS) {
        fprintf(stderr, "usage: %s THREADS PORT SCRIPT [ARGUMENT...]\n", argv[0]);
        return 2;
    }
    worker *workers = calloc((size_t)count, sizeof *workers);
    if (workers == NULL)
        return 1;

    /* Threads inherit what is blocked: the signals wait for `rule`. */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);

    /* All sockets are bound before any thread runs: the kernel spreads the datagrams over all from the first one on. */
    for (int i = 0; i < count; i++) {
        workers[i].number = i + 1;
        port = begin(&workers[i], port, argv + 3);
        if (port < 0)
            return 1;
    }
    for (int i = 0; i < count; i++)
        if (pthread_create(&workers[i].thread, NULL, run, &workers[i]) != 0)
            return 1;
    printf("%d workers at port %d\n", count, port);
    fflush(stdout);

    rule(workers, count, &signals);
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    int failed = 0;
    for (int i = 0; i < count; i++) {
        pthread_join(workers[i].thread, NULL);
        failed |= workers[i].failed;
    }
    free(workers);
    return failed;
}
