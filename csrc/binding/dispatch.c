/* SPDX-License-Identifier: MIT */
#include "dispatch.h"

#include <errno.h>

#include "../net/descriptor.h"
#include "endpoint.h"
#include "error.h"
#include "loop.h"
#include "poll.h"
#include "receive.h"
#include "tick.h"

/* For protected calls: notes the traceback, and lets the error pass as it is. */
static int message_handler(lua_State *L)
{
    dg_traceback(L, NULL, 1);
    dg_hub_set(L, DG_STORE_TRACEBACK);
    return 1;
}

static void remember_uncaught(lua_State *L, dg_hub *hub, int error, int traceback)
{
    dg_hub_get(L, DG_STORE_UNCAUGHT);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        dg_hub_set(L, DG_STORE_UNCAUGHT);
    }
    lua_pushvalue(L, error);
    lua_rawseti(L, -2, (int)(2 * hub->uncaught + 1));
    lua_pushvalue(L, traceback);
    lua_rawseti(L, -2, (int)(2 * hub->uncaught + 2));
    hub->uncaught++;
    if (hub->running != 0)
        dg_loop_stop(L);
}

/* An error that a callback raised is on top of the stack: tells the handler, or keeps it for dgram.run or luv. */
static void take_error(lua_State *L, dg_hub *hub)
{
    int error = lua_gettop(L);
    dg_hub_get(L, DG_STORE_TRACEBACK);
    dg_hub_get(L, DG_STORE_MESSAGE_HANDLER);
    dg_hub_get(L, DG_STORE_HANDLER);
    if (lua_isfunction(L, -1)) {
        lua_pushvalue(L, error);
        lua_pushvalue(L, error + 1);
        if (lua_pcall(L, 2, 0, error + 2) == 0) {
            lua_settop(L, error - 1);
            return;
        }
        lua_replace(L, error); /* the handler failed itself: that is the error now */
        dg_hub_get(L, DG_STORE_TRACEBACK);
        lua_replace(L, error + 1);
    }
    remember_uncaught(L, hub, error, error + 1);
    lua_settop(L, error - 1);
}

/* The work of a dispatch, under its protected call. Arguments: the socket, or nil for the tick; the hub. Entered again after
 * an error, it goes on behind what raised. */
static int body(lua_State *L)
{
    dg_socket *s = lua_touserdata(L, 1);
    dg_hub *hub = lua_touserdata(L, 2);
    if (s != NULL) {
        int readable = s->readable;
        s->readable = 0;
        if (readable || dg_receive_pending(s))
            dg_receive(L, 1, s, readable);
    }
    if (!hub->turn.opened)
        dg_tick_open_round(hub);
    dg_tick_round(L, hub);
    return 0;
}

/* Runs the body for the value at index 1, again after each error. Without memory it stops: what is left is still noted,
 * and the next dispatch goes on. The store is at `store`. */
static void run_body(lua_State *L, dg_hub *hub, int store)
{
    dg_turn outer = hub->turn;
    int status;
    hub->turn.opened = 0;
    hub->turn.budget = DG_RECEIVE_BUDGET;
    hub->depth++;
    lua_rawgeti(L, store, DG_STORE_MESSAGE_HANDLER);
    int handler = lua_gettop(L);
    do {
        lua_rawgeti(L, store, DG_STORE_BODY);
        lua_pushvalue(L, 1);
        lua_pushlightuserdata(L, hub);
        status = lua_pcall(L, 2, 0, handler);
        if (status != 0)
            take_error(L, hub);
    } while (status != 0 && status != LUA_ERRMEM);
    lua_pop(L, 1);
    hub->depth--;
    hub->turn = outer;
}

/* The way out of the outermost dispatch. What nobody caught goes to luv, as a string: it prints what it is given. */
static int leave(lua_State *L, dg_hub *hub)
{
    dg_tick_settle(L, hub);
    if (hub->depth == 0 && hub->running == 0 && dg_dispatch_take_uncaught(L)) {
        if (!lua_isstring(L, -1)) {
            dg_tolstring(L, -1, NULL);
            lua_getfield(L, -2, "traceback");
            if (lua_isstring(L, -1)) {
                lua_pushfstring(L, "%s\n%s", lua_tostring(L, -2), lua_tostring(L, -1));
            } else {
                lua_pop(L, 1);
            }
        }
        return lua_error(L);
    }
    return 0;
}

/* An error waits on the descriptor: an ICMP message's, most likely. */
static void report_pending_error(lua_State *L, dg_socket *s)
{
    int error = dg_descriptor_take_error(s->fd);
    if (error == 0)
        return;
    dg_endpoint_push_error(L, s, error, "recvmsg", NULL);
    dg_tick_emit(L, 1, "error");
    if (error == -EBADF || error == -ENOTSOCK) { /* somebody closed it behind our back: watching it would spin */
        s->paused = 1;
        s->watching = 0;
    }
}

/* luv names what came by letters: r, w, d, p. */
static void note_events(lua_State *L, dg_socket *s, const char *events)
{
    for (; *events != '\0'; events++) {
        if (*events == 'r') {
            s->readable = 1;
        } else if (*events == 'p') {
            report_pending_error(L, s);
        } else if (*events == 'w' && s->blocked == DG_BLOCKED_POLL) {
            s->blocked = DG_NOT_BLOCKED;
            dg_tick_due(L, 1, s, DG_DUE_FLUSH);
        }
    }
}

/* libuv stops a poll that has an error. */
static void note_stop(lua_State *L, dg_socket *s)
{
    dg_poll_stopped(s);
    report_pending_error(L, s);
    dg_socket_update(L, 1, s);
}

int dg_dispatch_poll(lua_State *L)
{
    const int store = lua_upvalueindex(2);
    dg_socket *s = lua_touserdata(L, lua_upvalueindex(1));
    int failed = lua_type(L, 1) == LUA_TSTRING;
    const char *events = lua_tostring(L, 2);
    lua_rawgeti(L, store, DG_STORE_SOCKETS);
    dg_rawgetp(L, -1, s);
    if (lua_isnil(L, -1))
        return 0;
    lua_replace(L, 1); /* the socket is at 1 now, and `events` is still on the stack */
    dg_hub *hub = s->hub;
    hub->depth++; /* work that is noted here is done here, without the tick's handle */
    if (s->fd >= 0 && failed)
        note_stop(L, s);
    else if (s->fd >= 0 && events != NULL)
        note_events(L, s, events);
    hub->depth--;
    run_body(L, hub, store);
    return leave(L, hub);
}

int dg_dispatch_retry(lua_State *L)
{
    const int store = lua_upvalueindex(2);
    dg_socket *s = lua_touserdata(L, lua_upvalueindex(1));
    lua_settop(L, 0);
    lua_rawgeti(L, store, DG_STORE_SOCKETS);
    dg_rawgetp(L, -1, s);
    if (lua_isnil(L, -1))
        return 0;
    lua_replace(L, 1);
    dg_hub *hub = s->hub;
    hub->depth++;
    s->blocked = DG_NOT_BLOCKED;
    dg_tick_due(L, 1, s, DG_DUE_FLUSH);
    hub->depth--;
    run_body(L, hub, store);
    return leave(L, hub);
}

int dg_dispatch_tick(lua_State *L)
{
    dg_hub *hub = dg_hub_of(L);
    lua_settop(L, 0);
    lua_pushnil(L);
    dg_hub_store(L);
    run_body(L, hub, 2);
    return leave(L, hub);
}

/* Pushes the traceback of the first uncaught error, and what else went wrong after it. The list is at `list`. */
static void push_full_traceback(lua_State *L, unsigned count, int list)
{
    lua_rawgeti(L, list, 2);
    if (!lua_isstring(L, -1)) {
        lua_pop(L, 1);
        lua_pushliteral(L, "(no traceback)");
    }
    for (unsigned i = 1; i < count; i++) {
        lua_rawgeti(L, list, (int)(2 * i + 1));
        dg_tolstring(L, -1, NULL);
        lua_remove(L, -2);
        lua_pushfstring(L, "%s\nand then: %s", lua_tostring(L, -2), lua_tostring(L, -1));
        lua_replace(L, -3);
        lua_pop(L, 1);
    }
}

int dg_dispatch_take_uncaught(lua_State *L)
{
    dg_hub *hub = dg_hub_of(L);
    unsigned count = hub->uncaught;
    if (count == 0)
        return 0;
    dg_hub_get(L, DG_STORE_UNCAUGHT);
    int list = lua_gettop(L);
    hub->uncaught = 0;
    lua_pushnil(L);
    dg_hub_set(L, DG_STORE_UNCAUGHT);
    push_full_traceback(L, count, list);
    lua_rawgeti(L, list, 1);
    if (lua_type(L, -1) == LUA_TSTRING) {
        lua_pushfstring(L, "%s\n%s", lua_tostring(L, -1), lua_tostring(L, -2));
    } else if (lua_istable(L, -1) && lua_getmetatable(L, -1)) {
        dg_hub_get(L, DG_STORE_ERROR);
        int ours = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
        if (ours) {
            lua_pushvalue(L, -2);
            lua_setfield(L, -2, "traceback");
        }
    }
    lua_replace(L, list);
    lua_settop(L, list);
    return 1;
}

int dg_dispatch_set_handler(lua_State *L)
{
    dg_error_surplus(L, 1);
    if (!lua_isnoneornil(L, 1) && !lua_isfunction(L, 1))
        dg_error_arg_type(L, 1, "fn", "a function or nil");
    lua_settop(L, 1);
    dg_hub_set(L, DG_STORE_HANDLER);
    return 0;
}

void dg_dispatch_open(lua_State *L)
{
    lua_pushcfunction(L, message_handler);
    dg_hub_set(L, DG_STORE_MESSAGE_HANDLER);
    dg_receive_push_upvalues(L);
    lua_pushcclosure(L, body, DG_RECEIVE_UPVALUES);
    dg_hub_set(L, DG_STORE_BODY);
}
