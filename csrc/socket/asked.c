/* SPDX-License-Identifier: MIT */
#include "asked.h"

#include <errno.h>

#include "../lua/error.h"

static const int64_t NANOSECONDS = 1000000000;

static const char *advice(int status, int family, unsigned set)
{
    if (status != -ENOTSUP)
        return NULL;
    if (family == AF_UNIX && (set & (DG_ASK_ARRIVAL | DG_ASK_TTL | DG_ASK_TOS)))
        return "pktInfo, recvTTL and recvTOS are not for unix_dgram sockets";
    if (family != AF_UNIX && (set & DG_ASK_CREDENTIALS))
        return "recvCredentials is for unix_dgram sockets only";
    return "this system does not tell what comes with a datagram"
           " (pktInfo, recvTTL, recvTOS, timestamp, recvCredentials)";
}

static void ask(lua_State *L, dg_socket *s, int fd, int family, unsigned set)
{
    int status = dg_os_ask(fd, family, set, &s->rx.asked);
    if (status != 0)
        dg_error_raise_advised(L, status, "setsockopt", advice(status, family, set));
}

void dg_asked_set(lua_State *L, dg_socket *s, int fd, int family)
{
    ask(L, s, fd, family, s->rx.asked.set);
}

void dg_asked_look_again(dg_socket *s)
{
    dg_os_ask(s->fd, s->family, s->rx.asked.set, &s->rx.asked);
}

/* core.ask(socket, pktInfo, recvTTL, recvTOS, timestamp, recvCredentials), for a new socket: asks for what is true.
 * timestamp is a boolean, or "ns". Raises ENOTSUP, and what setsockopt(2) says. */
static int core_ask(lua_State *L)
{
    static const unsigned char options[] = {DG_ASK_ARRIVAL, DG_ASK_TTL, DG_ASK_TOS, DG_ASK_TIME, DG_ASK_CREDENTIALS};
    enum { FIRST = 2, TIMESTAMP = 5 };
    dg_socket *s = dg_socket_running(L);
    unsigned set = 0;
    for (int i = 0; i < (int)sizeof options; i++)
        if (lua_toboolean(L, FIRST + i))
            set |= options[i];
    ask(L, s, s->fd, s->family, set);
    s->rx.time_in_ns = lua_type(L, TIMESTAMP) == LUA_TSTRING;
    return 0;
}

static void keep_text(lua_State *L, int index, const char *text)
{
    if (*text != '\0')
        lua_pushstring(L, text);
    else
        lua_pushnil(L);
    lua_replace(L, index);
}

/* A finalizer that runs with the first string may receive into the slot. */
void dg_asked_keep_texts(lua_State *L, int index, const dg_ancillary *with)
{
    char interface_text[sizeof with->interface_text];
    memcpy(interface_text, with->interface_text, sizeof interface_text);
    keep_text(L, index, with->local_text);
    keep_text(L, index + 1, interface_text);
}

/* These numbers have more bits than lua_Integer has on some machines up to Lua 5.2. */
static void push_integer(lua_State *L, int has, int64_t value)
{
    if (!has)
        lua_pushnil(L);
    else
#if LUA_VERSION_NUM >= 503
        lua_pushinteger(L, (lua_Integer)value);
#else
        lua_pushnumber(L, (lua_Number)value);
#endif
}

static void push_time(lua_State *L, const dg_socket *s, const dg_ancillary *with)
{
    if (s->rx.time_in_ns || !(with->has & DG_ASK_TIME))
        push_integer(L, with->has & DG_ASK_TIME, with->seconds * NANOSECONDS + with->nanoseconds);
    else
        lua_pushnumber(L, (lua_Number)with->seconds + (lua_Number)with->nanoseconds / (lua_Number)NANOSECONDS);
}

int dg_asked_push(lua_State *L, int index, const dg_socket *s, const dg_ancillary *with)
{
    const int has_sender = with->has & DG_ASK_CREDENTIALS;
    lua_pushvalue(L, index);
    lua_pushvalue(L, index + 1);
    push_integer(L, with->has & DG_ASK_TTL, with->ttl);
    push_integer(L, with->has & DG_ASK_TOS, with->tos);
    push_time(L, s, with);
    push_integer(L, has_sender && with->pid != 0, with->pid);
    push_integer(L, has_sender, with->uid);
    push_integer(L, has_sender, with->gid);
    return 8;
}

static const luaL_Reg core[] = {{"ask", core_ask}, {NULL, NULL}};

void dg_asked_open(lua_State *L)
{
    dg_socket_add(L, NULL, core);
}
