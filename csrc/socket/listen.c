/* SPDX-License-Identifier: MIT */
#include "listen.h"

#include "../lua/error.h"
#include "../loop/luv.h"
#include "receive.h"
#include "timers.h"
#include "watch.h"
#include "work.h"

/* Is called after a change that may let delivery go on, or stop it. */
static void changed(lua_State *L, dg_socket *s)
{
    dg_watch_update(L, 1, s);
    if (dg_receive_pending(s))
        dg_work_add(L, 1, s, DG_WORK_RESUME);
}

enum { SOCKET = 1, NEW, SLOTS, BEFORE };

static void set_taker(dg_socket *s, unsigned taker, int there)
{
    dg_receive_set_takers(s, there ? s->rx.receiving | taker : s->rx.receiving & ~taker);
}

/* Makes the value at `index`, or false, what gets the lists of `batch`. */
static void put_lists(lua_State *L, dg_socket *s, int index)
{
    lua_pushvalue(L, index);
    lua_rawseti(L, SLOTS, DG_SLOT_LISTS);
    set_taker(s, DG_TAKES_LISTS, lua_toboolean(L, index));
}

/* Makes the value at `index` the receiver. In a GRO batch most of a datagram's cost is its rinfo, so none is made for a
 * function with one parameter, which cannot see it. */
static void put_receiver(lua_State *L, dg_socket *s, int index)
{
    lua_pushvalue(L, index);
    lua_rawseti(L, SLOTS, DG_SLOT_RECEIVER);
    if (s->life != DG_OPEN || lua_isnil(L, index)) {
        dg_socket_target_nobody(L, SLOTS);
    } else {
        lua_pushvalue(L, index);
        lua_rawseti(L, SLOTS, DG_SLOT_TARGET);
    }
    set_taker(s, DG_TAKES_MESSAGES, !lua_isnil(L, index));
    s->rx.takes_rinfo = (unsigned char)dg_takes_more(L, index, 1);
}

/* Arguments: the socket, its light userdata. */
static int changed_body(lua_State *L)
{
    changed(L, lua_touserdata(L, 2));
    return 0;
}

static void push_changed(lua_State *L, dg_socket *s)
{
    lua_pushcfunction(L, changed_body);
    lua_pushvalue(L, SOCKET);
    lua_pushlightuserdata(L, s);
}

static void put(lua_State *L, dg_socket *s, int slot, int index)
{
    (slot == DG_SLOT_LISTS ? put_lists : put_receiver)(L, s, index);
}

/* The change failed, with the error on top of the stack. The old receiver gets its place back, unless a finalizer has
 * put another one there; then the error is raised. */
static int undo(lua_State *L, dg_socket *s, int slot, int alone)
{
    lua_pushliteral(L, "message");
    lua_rawgeti(L, SLOTS, slot);
    if (lua_rawequal(L, -1, NEW)) {
        put(L, s, slot, BEFORE);
        lua_rawgeti(L, SLOTS, DG_SLOT_EVENTS);
        if (alone && !lua_isnil(L, -1)) { /* a finalizer has made the table, with the new receiver in it */
            lua_pushvalue(L, -3);
            lua_pushnil(L);
            lua_rawset(L, -3);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 2);
    push_changed(L, s);
    if (lua_pcall(L, 2, 0, 0) != 0)
        lua_pop(L, 1);
    return lua_error(L);
}

/* Replaces the receiver, or (DG_SLOT_LISTS) what gets the lists of `batch`. Arguments: the socket, the new one or
 * nil. With `alone` it does so only where there is neither a receiver nor a table of listeners. Returns whether it did;
 * if it raises, nothing has changed. */
static int replace(lua_State *L, int slot, int alone)
{
    dg_socket *s = dg_socket_check(L);
    lua_settop(L, NEW);
    if (slot == DG_SLOT_LISTS && lua_isnil(L, NEW)) {
        lua_pushboolean(L, 0); /* it keeps the place in the table, so that put_lists allocates nothing */
        lua_replace(L, NEW);
    }
    dg_getuservalue(L, SOCKET);
    lua_settop(L, BEFORE);
    if (lua_toboolean(L, NEW) && s->local.state == DG_BOUND && s->life == DG_OPEN)
        dg_luv_need(L, "Listening for messages");
    push_changed(L, s);
    /* Finalizers may have run so far. From here to the call none runs. */
    lua_rawgeti(L, SLOTS, slot);
    if (slot == DG_SLOT_LISTS && lua_isnil(L, -1)) {
        lua_pushboolean(L, 0);
        lua_replace(L, -2);
        lua_pushvalue(L, -1);
        lua_rawseti(L, SLOTS, slot); /* makes the place */
    }
    lua_replace(L, BEFORE);
    if (alone) {
        lua_rawgeti(L, SLOTS, DG_SLOT_EVENTS);
        if (!lua_isnil(L, -1) || !lua_isnil(L, BEFORE))
            return 0;
        lua_pop(L, 1);
    }
    put(L, s, slot, NEW);
    if (lua_pcall(L, 2, 0, 0) != 0)
        return undo(L, s, slot, alone);
    return 1;
}

/* core.setReceiver(socket, function | nil): sets the function that messages go to. */
static int core_set_receiver(lua_State *L)
{
    replace(L, DG_SLOT_RECEIVER, 0);
    return 0;
}

/* core.setLists(socket, function | nil): sets the function that gets the lists of `batch`. */
static int core_set_lists(lua_State *L)
{
    replace(L, DG_SLOT_LISTS, 0);
    return 0;
}

/* core.hasLists(socket): whether there is one. */
static int core_has_lists(lua_State *L)
{
    lua_pushboolean(L, dg_socket_check(L)->rx.receiving & DG_TAKES_LISTS);
    return 1;
}

/* core.listenAlone(socket, function): makes it the receiver, if there is neither a receiver nor a table of listeners.
 * So most sockets need no such table. Returns whether it did. */
static int core_listen_alone(lua_State *L)
{
    lua_pushboolean(L, replace(L, DG_SLOT_RECEIVER, 1));
    return 1;
}

/* core.setWaiting(socket, flag): whether a call waits for a datagram, where the receiver stands for calls only. */
static int core_set_waiting(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    s->rx.has_calls = 1;
    const unsigned char before = s->rx.stopped;
    dg_receive_set_waiting(s, lua_toboolean(L, 2) || s->rx.lone || s->rx.queued);
    if (s->rx.stopped == before)
        return 0;
    lua_settop(L, 1);
    changed(L, s);
    return 0;
}

/* core.isPaused(socket): whether the program has paused it. */
static int core_is_paused(lua_State *L)
{
    lua_pushboolean(L, dg_socket_check(L)->rx.stopped & DG_PAUSED);
    return 1;
}

/* core.setDeadline(socket, milliseconds | nil): when calls that wait are looked at; nil for never. */
static int core_set_deadline(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    lua_settop(L, 2);
    if (lua_isnil(L, 2))
        dg_timers_no_deadline(L, 1, s);
    else if (s->life == DG_OPEN)
        dg_timers_deadline(L, 1, s, lua_tonumber(L, 2));
    return 0;
}

static int set_paused(lua_State *L, int paused)
{
    dg_socket *s = dg_socket_running(L);
    dg_error_surplus(L, 1);
    lua_settop(L, 1);
    if (paused)
        dg_receive_stop(s, DG_PAUSED);
    else
        dg_receive_restart(s, DG_PAUSED);
    changed(L, s);
    return 1;
}

/* socket:pause(): stops receiving. Datagrams wait in the kernel, as long as its buffer has room. */
static int socket_pause(lua_State *L)
{
    return set_paused(L, 1);
}

/* socket:resume() */
static int socket_resume(lua_State *L)
{
    return set_paused(L, 0);
}

static const luaL_Reg methods[] = {{"pause", socket_pause}, {"resume", socket_resume}, {NULL, NULL}};
static const luaL_Reg core[] = {{"setReceiver", core_set_receiver}, {"setLists", core_set_lists},
                                {"hasLists", core_has_lists},       {"listenAlone", core_listen_alone},
                                {"setWaiting", core_set_waiting},   {"isPaused", core_is_paused},
                                {"setDeadline", core_set_deadline}, {NULL, NULL}};

void dg_listen_open(lua_State *L)
{
    dg_socket_add(L, methods, core);
}
