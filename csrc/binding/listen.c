/* SPDX-License-Identifier: MIT */
#include "listen.h"

#include "error.h"
#include "luv.h"
#include "poll.h"
#include "receive.h"
#include "tick.h"

/* After a change that may let datagrams of a batch go on. */
static void changed(lua_State *L, dg_socket *s)
{
    dg_poll_update(L, 1, s);
    if (dg_receive_pending(s))
        dg_tick_due(L, 1, s, DG_DUE_RESUME);
}

/* Puts the listener, or nil, at `index` into its slot. */
static void put_receiver(lua_State *L, int index, dg_socket *s)
{
    dg_getuservalue(L, 1);
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, DG_SLOT_RECEIVER);
    lua_pop(L, 1);
    s->receiving = !lua_isnil(L, index);
    s->takes_rinfo = (unsigned char)dg_takes_more(L, index, 1);
}

/* Arguments: the socket, its light userdata. */
static int changed_body(lua_State *L)
{
    changed(L, lua_touserdata(L, 2));
    return 0;
}

/* Stack: the socket, its new receiver or nil, the one before. What fails leaves that one in its place. */
static void replace_receiver(lua_State *L, dg_socket *s)
{
    if (!lua_isnil(L, 2) && s->bound && s->life == DG_OPEN)
        dg_luv_need(L, "Listening for messages");
    lua_pushcfunction(L, changed_body);
    lua_pushvalue(L, 1);
    lua_pushlightuserdata(L, s);
    put_receiver(L, 2, s);
    if (lua_pcall(L, 2, 0, 0) == 0)
        return;
    put_receiver(L, 3, s);
    dg_socket_anchor(L, 1, s);
    lua_error(L);
}

/* core.setReceiver(socket, function | nil): where messages go. */
static int core_set_receiver(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    lua_settop(L, 2);
    dg_getuservalue(L, 1);
    lua_rawgeti(L, -1, DG_SLOT_RECEIVER);
    lua_replace(L, 3);
    replace_receiver(L, s);
    return 0;
}

/* core.listenAlone(socket, function): makes it the receiver where nobody listens, or has listened, to anything: most
 * sockets have one listener, and need no table of them then. Returns whether it did. */
static int core_listen_alone(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    lua_settop(L, 2);
    dg_getuservalue(L, 1);
    lua_rawgeti(L, -1, DG_SLOT_EVENTS);
    lua_rawgeti(L, -2, DG_SLOT_RECEIVER);
    int alone = lua_isnil(L, -1) && lua_isnil(L, -2);
    lua_settop(L, 2);
    lua_pushnil(L);
    if (alone)
        replace_receiver(L, s);
    lua_pushboolean(L, alone);
    return 1;
}

static int set_paused(lua_State *L, int paused)
{
    dg_socket *s = dg_socket_running(L);
    dg_error_surplus(L, 1);
    lua_settop(L, 1);
    s->paused = (unsigned char)paused;
    changed(L, s);
    return 1;
}

/* socket:pause(): takes no more datagrams from the kernel, where they wait as long as its buffer has room. */
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
static const luaL_Reg core[] = {{"setReceiver", core_set_receiver}, {"listenAlone", core_listen_alone}, {NULL, NULL}};

void dg_listen_open(lua_State *L)
{
    dg_socket_add(L, methods, core);
}
