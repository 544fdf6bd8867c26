/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include <string.h>

#include "../net/descriptor.h"
#include "dispatch.h"
#include "error.h"
#include "tick.h"

/* At lua_close luv may be finalized before the sockets. Finalizers run in the reverse order of creation: this one, made
 * right after luv was found, comes before luv's own, and after those of all sockets made since. Older sockets see the flag. */
static int sentinel_gc(lua_State *L)
{
    dg_hub_of(L)->luv_gone = 1;
    return 0;
}

static void make_sentinel(lua_State *L)
{
    dg_newuserdata(L, 1);
    lua_pop(L, 1);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, sentinel_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    dg_hub_set(L, DG_STORE_SENTINEL);
}

/* Pushes what the Lua side finds. luv calls back on the thread that it was loaded from, for ever: that must not be a coroutine,
 * which ends. */
static void find_uv(lua_State *L)
{
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
    make_sentinel(L);
    return 1;
}

/* Pushes one of luv's functions; there is a luv. */
static void push_function(lua_State *L, const char *name)
{
    dg_hub_get(L, DG_STORE_UV);
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
}

int dg_loop_available(lua_State *L)
{
    int found = push_uv(L);
    if (found)
        lua_pop(L, 1);
    return found;
}

void dg_loop_need(lua_State *L, const char *what)
{
    if (!dg_loop_available(L))
        dg_error_raise(L, "Error", "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM",
                       "%s needs an event loop: neither require \"luv\" nor require \"uv\" finds one. "
                       "Install luv (luarocks install luv, or Debian's lua-luv)",
                       what);
}

/* Prioritized data never comes on a datagram socket, but with it in the set libuv tells of a socket error as an event,
 * where otherwise it stops the handle and luv prints. */
#if defined(__linux__)
static const char *const modes[] = {NULL, "rp", "wp", "rwp", "dp", "rdp", "wdp", "rwdp"};
#else
static const char *const modes[] = {NULL, "r", "w", "rw", "d", "rd", "wd", "rwd"};
#endif

/* luv's functions return nil, message, name when they fail. */
static void check_result(lua_State *L, const char *call)
{
    if (!lua_isnil(L, -3))
        return;
    const char *code = lua_tostring(L, -1);
    dg_error_raise(L, "Error", code != NULL ? code : "UNKNOWN", "%s %s", call, lua_tostring(L, -2));
}

static void new_poll(lua_State *L, int index, dg_socket *s)
{
    push_function(L, "new_poll");
    lua_pushinteger(L, s->fd);
    lua_call(L, 1, 3);
    check_result(L, "new_poll");
    lua_pop(L, 2);
    dg_gettable(L, index);
    lua_insert(L, -2);
    lua_rawseti(L, -2, DG_SLOT_POLL);
    lua_pop(L, 1);
}

static void push_poll(lua_State *L, int index)
{
    dg_gettable(L, index);
    lua_rawgeti(L, -1, DG_SLOT_POLL);
    lua_remove(L, -2);
}

static void start_poll(lua_State *L, int index, dg_socket *s, unsigned watch)
{
    push_function(L, "poll_start");
    push_poll(L, index);
    lua_pushstring(L, modes[watch]);
    lua_pushlightuserdata(L, s);
    dg_hub_store(L);
    lua_pushcclosure(L, dg_dispatch_poll, 2);
    lua_call(L, 3, 3);
    check_result(L, "poll_start");
    lua_pop(L, 3);
}

static void reference_poll(lua_State *L, int index, dg_socket *s)
{
    push_function(L, dg_socket_unreferenced(s) ? "unref" : "ref");
    push_poll(L, index);
    lua_call(L, 1, 0);
    s->poll_unreferenced = (unsigned char)dg_socket_unreferenced(s);
}

void dg_loop_retry(lua_State *L, int index, dg_socket *s, unsigned milliseconds)
{
    index = dg_absindex(L, index);
    int top = lua_gettop(L);
    dg_gettable(L, index);
    lua_rawgeti(L, -1, DG_SLOT_TIMER);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        push_function(L, "new_timer");
        lua_call(L, 0, 3);
        check_result(L, "new_timer");
        lua_pop(L, 2);
        lua_pushvalue(L, -1);
        lua_rawseti(L, top + 1, DG_SLOT_TIMER);
    }
    push_function(L, "timer_start");
    lua_insert(L, -2);
    lua_pushinteger(L, (lua_Integer)milliseconds);
    lua_pushinteger(L, 0);
    lua_pushlightuserdata(L, s);
    dg_hub_store(L);
    lua_pushcclosure(L, dg_dispatch_retry, 2);
    lua_call(L, 4, 0);
    lua_settop(L, top);
}

static void stop_poll(lua_State *L, int index, dg_socket *s)
{
    push_function(L, "poll_stop");
    push_poll(L, index);
    lua_call(L, 1, 0);
    s->watching = 0;
}

void dg_loop_watch(lua_State *L, int index, dg_socket *s, unsigned watch)
{
    index = dg_absindex(L, index);
    if (watch == 0) {
        if (s->watching != 0 && !s->hub->luv_gone)
            stop_poll(L, index, s);
        return;
    }
    if (!dg_loop_available(L)) {
        if (watch & DG_WATCH_READ)
            dg_loop_need(L, "Listening for messages");
        return;
    }
    if (!s->has_poll) {
        new_poll(L, index, s);
        s->hub->watched++;
        s->has_poll = 1;
        s->poll_unreferenced = 0;
    }
    if (watch != s->watching)
        start_poll(L, index, s, watch);
    s->watching = (unsigned char)watch;
    if (dg_socket_unreferenced(s) != s->poll_unreferenced)
        reference_poll(L, index, s);
}

void dg_loop_stopped(dg_socket *s)
{
    s->watching = 0;
}

/* Notes the handle in a slot for closing, behind `dug` others; returns how many there are then. */
static unsigned bury(lua_State *L, int index, int slot, int fd, unsigned dug)
{
    dg_gettable(L, index);
    lua_rawgeti(L, -1, slot);
    if (!lua_isnil(L, -1)) {
        dg_hub_get(L, DG_STORE_GRAVES);
        lua_pushvalue(L, -2);
        lua_rawseti(L, -2, (int)(2 * dug + 1));
        lua_pushinteger(L, fd);
        lua_rawseti(L, -2, (int)(2 * dug + 2));
        lua_pop(L, 1);
        dug++;
    }
    lua_pop(L, 2);
    return dug;
}

static void forget_handles(lua_State *L, int index)
{
    dg_gettable(L, index);
    for (int slot = DG_SLOT_POLL; slot <= DG_SLOT_TIMER; slot++) {
        lua_pushnil(L);
        lua_rawseti(L, -2, slot);
    }
    lua_pop(L, 1);
}

/* luv 1.44 crashes at the end of a state whose loop did not run again after a handle was closed. So a handle is only
 * stopped here, and closed from inside the loop; until then its descriptor's number must be nobody else's, because closing
 * the handle makes libuv forget that number. */
void dg_loop_release(lua_State *L, int index, dg_socket *s)
{
    dg_hub *hub = s->hub;
    int fd = s->fd;
    index = dg_absindex(L, index);
    if (!s->has_poll) {
        s->fd = -1;
        dg_descriptor_close(fd);
        return;
    }
    unsigned dug = bury(L, index, DG_SLOT_TIMER, -1, hub->graves);
    dug = bury(L, index, DG_SLOT_POLL, fd, dug);
    stop_poll(L, index, s);
    dg_descriptor_retire(fd); /* where it fails, the socket stays open until its handle is closed */
    s->fd = -1;
    s->has_poll = 0;
    hub->graves = dug;
    hub->watched--;
    forget_handles(L, index);
    if (hub->depth == 0)
        dg_loop_start_tick(L, hub);
}

/* While a state is being closed the poll handle, younger than its socket, has been finalized already. luv's is_closing looks
 * at that and raises; poll_stop would crash. */
static int protected_release(lua_State *L)
{
    push_function(L, "is_closing");
    push_poll(L, 1);
    lua_call(L, 1, 0);
    dg_loop_release(L, 1, lua_touserdata(L, 2));
    return 0;
}

void dg_loop_forget(lua_State *L, int index, dg_socket *s)
{
    if (s->fd < 0)
        return;
    if (s->has_poll && !s->hub->luv_gone) {
        index = dg_absindex(L, index);
        lua_pushcfunction(L, protected_release);
        lua_pushvalue(L, index);
        lua_pushlightuserdata(L, s);
        if (lua_pcall(L, 2, 0, 0) != 0) {
            s->hub->luv_gone = 1; /* luv's own finalizers run the loop, and callbacks may still come */
            lua_pop(L, 1);
        }
    }
    s->has_poll = s->watching = 0;
    if (s->fd >= 0)
        dg_descriptor_close(s->fd);
    s->fd = -1;
}

void dg_loop_close_graves(lua_State *L, dg_hub *hub)
{
    if (hub->graves == 0 || hub->luv_gone)
        return;
    dg_hub_get(L, DG_STORE_GRAVES);
    while (hub->graves != 0) {
        unsigned last = --hub->graves;
        push_function(L, "close");
        lua_rawgeti(L, -2, (int)(2 * last + 1));
        lua_rawgeti(L, -3, (int)(2 * last + 2));
        int fd = (int)lua_tointeger(L, -1);
        lua_pop(L, 1);
        lua_call(L, 1, 0);
        if (fd >= 0)
            dg_descriptor_close(fd);
        lua_pushnil(L);
        lua_rawseti(L, -2, (int)(2 * last + 1));
    }
    lua_pop(L, 1);
}

/* Pushes the idle handle, making it if there is none. */
static void push_idle(lua_State *L)
{
    dg_hub_get(L, DG_STORE_IDLE);
    if (!lua_isnil(L, -1))
        return;
    lua_pop(L, 1);
    push_function(L, "new_idle");
    lua_call(L, 0, 3);
    check_result(L, "new_idle");
    lua_pop(L, 2);
    lua_pushvalue(L, -1);
    dg_hub_set(L, DG_STORE_IDLE);
}

void dg_loop_start_tick(lua_State *L, dg_hub *hub)
{
    if (hub->ticking || !dg_loop_available(L))
        return;
    push_idle(L);
    push_function(L, "idle_start");
    lua_insert(L, -2);
    lua_pushcfunction(L, dg_dispatch_tick);
    lua_call(L, 2, 0);
    hub->ticking = 1;
}

static void call_with_idle(lua_State *L, const char *name)
{
    push_function(L, name);
    lua_insert(L, -2);
    lua_call(L, 1, 0);
}

void dg_loop_stop_tick(lua_State *L, dg_hub *hub)
{
    dg_hub_get(L, DG_STORE_IDLE);
    if (lua_isnil(L, -1) || hub->luv_gone) {
        lua_pop(L, 1);
        return;
    }
    int ticking = hub->ticking;
    hub->ticking = 0;
    if (hub->watched == 0) {
        lua_pushnil(L);
        dg_hub_set(L, DG_STORE_IDLE);
        call_with_idle(L, "close");
    } else if (ticking) {
        call_with_idle(L, "idle_stop");
    } else {
        lua_pop(L, 1);
    }
}

void dg_loop_stop(lua_State *L)
{
    if (!dg_loop_available(L))
        return;
    push_function(L, "stop");
    lua_call(L, 0, 0);
}

static void check_mode(lua_State *L)
{
    if (lua_isnoneornil(L, 1))
        return;
    if (lua_type(L, 1) != LUA_TSTRING)
        dg_error_arg_type(L, 1, "mode", "a string");
    const char *mode = lua_tostring(L, 1);
    if (strcmp(mode, "default") != 0 && strcmp(mode, "once") != 0 && strcmp(mode, "nowait") != 0)
        dg_error_raise(L, "TypeError", "ERR_INVALID_ARG_VALUE",
                       "The \"mode\" argument must be \"default\", \"once\" or \"nowait\". Received \"%s\"", mode);
}

int dg_loop_run(lua_State *L)
{
    dg_error_surplus(L, 1);
    dg_loop_need(L, "dgram.run");
    dg_hub *hub = dg_hub_of(L);
    check_mode(L);
    lua_settop(L, 1);
    push_function(L, "run");
    int arguments = !lua_isnil(L, 1);
    if (arguments)
        lua_pushvalue(L, 1);
    hub->running++;
    int status = lua_pcall(L, arguments, 1, 0);
    hub->running--;
    if (dg_dispatch_take_uncaught(L) || status != 0)
        return lua_error(L);
    return 1;
}
