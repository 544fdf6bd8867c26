/* SPDX-License-Identifier: MIT */
#include "stats.h"

#include "../net/option.h"
#include "../net/timer.h"
#include "../lua/error.h"
#include "../socket/receive.h"

static void set_count(lua_State *L, const char *name, uint64_t count)
{
#if LUA_VERSION_NUM >= 503
    lua_pushinteger(L, (lua_Integer)count);
#else
    lua_pushnumber(L, (lua_Number)count);
#endif
    lua_setfield(L, -2, name);
}

/* socket:stats() -> a table of counters since the socket was made: messagesReceived, bytesReceived, messagesSent,
 * bytesSent, sendErrors, dropped (by the kernel, for want of buffer, in entries of that; nil where it does not say),
 * blocked, strangers, truncated, descriptorsRefused (datagrams), receiveCalls, sendCalls (system calls); gso, gro:
 * whether the kernel segments and coalesces for this socket; and moderated: whether it is received from at intervals
 * (nil where the system has no timer for that). */
static int socket_stats(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    const dg_transmitter *sent = &s->tx.transmitter;
    dg_error_surplus(L, 1);
    lua_createtable(L, 0, 15);
    set_count(L, "messagesReceived", s->rx.messages);
    set_count(L, "bytesReceived", s->rx.bytes);
    set_count(L, "messagesSent", sent->datagrams);
    set_count(L, "bytesSent", sent->bytes);
    set_count(L, "sendErrors", sent->errors);
    set_count(L, "blocked", s->rx.blocked);
    set_count(L, "strangers", s->rx.strangers);
    set_count(L, "truncated", s->rx.truncated);
    set_count(L, "descriptorsRefused", s->rx.descriptors);
    set_count(L, "receiveCalls", s->rx.calls);
    set_count(L, "sendCalls", sent->calls);
    if (s->fd >= 0)
        dg_receive_keep_dropped(s);
    if (s->rx.knows_dropped)
        set_count(L, "dropped", s->rx.dropped);
    lua_pushboolean(L, sent->offloads.segments != 0);
    lua_setfield(L, -2, "gso");
    lua_pushboolean(L, sent->offloads.coalesce);
    lua_setfield(L, -2, "gro");
    if (dg_timer_exists()) {
        lua_pushboolean(L, s->rx.moderated);
        lua_setfield(L, -2, "moderated");
    }
    return 1;
}

static const luaL_Reg methods[] = {{"stats", socket_stats}, {NULL, NULL}};

void dg_stats_open(lua_State *L)
{
    dg_socket_add(L, methods, NULL);
}
