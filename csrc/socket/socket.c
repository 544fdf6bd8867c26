/* SPDX-License-Identifier: MIT */
#include "socket.h"

#include <errno.h>
#include <stdio.h>

#include "../net/descriptor.h"
#include "../lua/advice.h"
#include "../lua/error.h"

const char dg_socket_tag = 0;

/* Returns the socket at any index, or NULL. */
static dg_socket *test(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
        return NULL;
    dg_registry_get(L, DG_REGISTRY_METATABLE);
    int ours = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return ours ? lua_touserdata(L, index) : NULL;
}

dg_socket *dg_socket_check_metatable(lua_State *L)
{
    dg_socket *s = test(L, 1);
    if (s == NULL)
        dg_error_arg_type(L, 1, "self", "a dgram.Socket (call methods with a colon)");
    return s;
}

void dg_socket_raise_closed(lua_State *L)
{
    dg_error_raise(L, "Error", "ERR_SOCKET_DGRAM_NOT_RUNNING", "Not running: the socket is closed");
}

static void push_advised(lua_State *L, const dg_socket *s, int error, const char *syscall, const dg_address *to,
                         size_t length)
{
    char text[DG_ADVICE_TEXT];
    if (error == DG_OVER_LIMIT) {
        snprintf(text, sizeof text, "sendQueueLimit is %zu bytes", s->tx.limit);
        dg_error_push_advised(L, -ENOBUFS, syscall, to, text);
        return;
    }
    const dg_trouble trouble = {error, syscall, s->fd, s->family, s->v6only, to, length};
    dg_error_push_advised(L, error, syscall, to, dg_advice_find(&trouble, text));
}

static const dg_address *or_peer(const dg_socket *s, const dg_address *to)
{
    return (to == NULL || to->length == 0) && s->peer.state == DG_CONNECTED ? s->peer.address : to;
}

void dg_socket_push_advised(lua_State *L, const dg_socket *s, int error, const char *syscall, const dg_address *to)
{
    push_advised(L, s, error, syscall, to, 0);
}

void dg_socket_push_error(lua_State *L, const dg_socket *s, int error, const char *syscall, const dg_address *to)
{
    push_advised(L, s, error, syscall, or_peer(s, to), 0);
}

void dg_socket_push_send_error(lua_State *L, const dg_socket *s, int error, const dg_address *to, size_t length)
{
    if (error == -ENOTCONN && s->family == AF_UNIX) /* Linux disconnects from a peer that is gone */
        error = -ECONNREFUSED;
    push_advised(L, s, error, "send", or_peer(s, to), length);
}

static int nobody(lua_State *L)
{
    (void)L;
    return 0;
}

void dg_socket_target_nobody(lua_State *L, int slots)
{
    dg_registry_get(L, DG_REGISTRY_NOBODY);
    lua_rawseti(L, slots, DG_SLOT_TARGET);
}

void dg_socket_push(lua_State *L, const dg_socket *s)
{
    dg_registry_get(L, DG_REGISTRY_SOCKETS);
    dg_rawgetp(L, -1, s);
    lua_remove(L, -2);
}

int dg_socket_call(lua_State *L, int index, dg_socket *s, lua_CFunction body, int arguments, int results)
{
    const int first = lua_gettop(L) + 1 - arguments;
    if (index < 0 && index > LUA_REGISTRYINDEX)
        index += first;
    lua_pushcfunction(L, body);
    lua_insert(L, first);
    lua_pushvalue(L, index);
    lua_insert(L, first + 1);
    lua_pushlightuserdata(L, s);
    lua_insert(L, first + 2);
    return lua_pcall(L, arguments + 2, results, 0);
}

static int must_live(const dg_socket *s)
{
    if (s->job.queued || s->job.pending != 0 || s->job.running != 0 || s->state->current == s || s->tx.blocked ||
        s->tx.waits_for_peers || s->tx.awaiting_lookup != 0 || s->local.state == DG_BINDING ||
        s->peer.state == DG_CONNECTING || s->rx.has_deadline)
        return 1;
    return s->life == DG_OPEN && s->local.state == DG_BOUND && s->rx.receiving &&
           !(s->rx.stopped & (DG_PAUSED | DG_BAD_FD | DG_NO_CALL));
}

void dg_socket_keep_alive(lua_State *L, int index, dg_socket *s)
{
    int wanted = must_live(s);
    if (wanted == s->kept_alive)
        return;
    index = dg_absindex(L, index);
    dg_registry_get(L, DG_REGISTRY_KEPT_ALIVE);
    if (wanted)
        lua_pushvalue(L, index);
    else
        lua_pushnil(L);
    dg_rawsetp(L, -2, s);
    lua_pop(L, 1);
    s->kept_alive = (unsigned char)wanted;
}

static const char *type_name(const dg_socket *s)
{
    return s->family == AF_UNIX ? "unix_dgram" : s->family == AF_INET6 ? "udp6" : "udp4";
}

/* dgram.Socket (udp4 127.0.0.1:41234) */
static int socket_tostring(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    dg_address name;
    char text[DG_ADDRESS_TEXT];
    if (s->life != DG_OPEN || s->local.state != DG_BOUND || dg_descriptor_name(s->fd, &name) != 0) {
        lua_pushfstring(L, "dgram.Socket (%s %s)", type_name(s), s->life != DG_OPEN ? "closed" : "unbound");
        return 1;
    }
    size_t length = dg_address_format(&name, text);
    if (length == 0) /* one of a pair */
        lua_pushfstring(L, "dgram.Socket (%s unnamed)", type_name(s));
    else if (s->family == AF_UNIX) /* abstract names are written with an @ */
        lua_pushfstring(L, "dgram.Socket (unix_dgram %s%s)", text[0] == '\0' ? "@" : "", text + (text[0] == '\0'));
    else
        lua_pushfstring(L, s->family == AF_INET6 ? "dgram.Socket (%s [%s]:%d)" : "dgram.Socket (%s %s:%d)",
                        type_name(s), text, (int)dg_address_port(&name));
    return 1;
}

/* core.state(socket): "open" or "closed", bound, binding, connected, connecting. */
static int core_state(lua_State *L)
{
    const dg_socket *s = dg_socket_check(L);
    lua_pushstring(L, s->life == DG_OPEN ? "open" : "closed");
    lua_pushboolean(L, s->local.state == DG_BOUND);
    lua_pushboolean(L, s->local.state == DG_BINDING);
    lua_pushboolean(L, s->peer.state == DG_CONNECTED);
    lua_pushboolean(L, s->peer.state == DG_CONNECTING);
    return 5;
}

/* core.family(socket): 4 or 6, 0 for a Unix socket. */
static int core_family(lua_State *L)
{
    const dg_socket *s = dg_socket_check(L);
    lua_pushinteger(L, s->family == AF_UNIX ? 0 : s->family == AF_INET6 ? 6 : 4);
    return 1;
}

/* Pushes the table in a slot of the socket, which is made when it is first asked for. Arguments: the socket. */
static int push_own_table(lua_State *L, int slot)
{
    dg_socket_check(L);
    lua_settop(L, 1);
    dg_getuservalue(L, 1);
    lua_rawgeti(L, 2, slot);
    if (!lua_isnil(L, 3))
        return 1;
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "message");
    lua_rawgeti(L, 2, slot);
    if (!lua_isnil(L, -1)) /* a finalizer has made it; what follows runs none */
        return 1;
    lua_settop(L, 5);
    if (slot == DG_SLOT_EVENTS) { /* so far the receiver is the only listener (slots.h) */
        lua_rawgeti(L, 2, DG_SLOT_RECEIVER);
        lua_rawset(L, 4);
    }
    lua_settop(L, 4);
    lua_pushvalue(L, 4);
    lua_rawseti(L, 2, slot);
    return 1;
}

/* core.events(socket): the table of the emitter's listeners. */
static int core_events(lua_State *L)
{
    return push_own_table(L, DG_SLOT_EVENTS);
}

/* core.kept(socket, event): what that table has for an event, or would have if it were made. Does not make it. */
static int core_kept(lua_State *L)
{
    dg_socket_check(L);
    lua_settop(L, 2);
    dg_getuservalue(L, 1);
    lua_pushliteral(L, "message");
    lua_rawgeti(L, 3, DG_SLOT_EVENTS);
    if (!lua_isnil(L, 5)) {
        lua_pushvalue(L, 2);
        lua_rawget(L, 5);
    } else if (lua_rawequal(L, 4, 2)) {
        lua_rawgeti(L, 3, DG_SLOT_RECEIVER);
    } /* else the nil on top */
    return 1;
}

/* core.private(socket): a table in which the Lua side keeps values. */
static int core_private(lua_State *L)
{
    return push_own_table(L, DG_SLOT_PRIVATE);
}

/* dgram.isSocket(x) */
static int core_is_socket(lua_State *L)
{
    lua_pushboolean(L, test(L, 1) != NULL);
    return 1;
}

/* socket:fileno() -> the descriptor's number; the descriptor stays the socket's. Other code that receives from it does
 * not expect GRO batches, so UDP_GRO is not turned on after this. */
static int socket_fileno(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    dg_error_surplus(L, 1);
    s->tx.transmitter.offloads.can_coalesce = 0;
    s->local.shares_file = 1;
    lua_pushinteger(L, s->fd);
    return 1;
}

/* socket:state() -> {type, bound, connected, paused, closing, closed}; works on a closed socket, too. All is read
 * before anything is allocated, because a finalizer may close the socket then. */
static int socket_state(lua_State *L)
{
    const dg_socket *s = dg_socket_check(L);
    dg_error_surplus(L, 1);
    const int has_descriptor = s->life != DG_CLOSED;
    const struct {
        const char *name;
        int value;
    } flags[] = {
        {"bound", has_descriptor && s->local.state == DG_BOUND},
        {"connected", has_descriptor && s->peer.state == DG_CONNECTED},
        {"paused", has_descriptor && (s->rx.stopped & DG_PAUSED) != 0},
        {"closing", s->life == DG_CLOSING},
        {"closed", s->life == DG_CLOSED},
    };
    const char *type = type_name(s);
    lua_createtable(L, 0, 6);
    lua_pushstring(L, type);
    lua_setfield(L, -2, "type");
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        lua_pushboolean(L, flags[i].value);
        lua_setfield(L, -2, flags[i].name);
    }
    return 1;
}

static const luaL_Reg methods[] = {
    {"fileno", socket_fileno},
    {"state", socket_state},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__tostring", socket_tostring},
    {NULL, NULL},
};

static const luaL_Reg core[] = {
    {"state", core_state}, {"family", core_family},   {"events", core_events},
    {"kept", core_kept},   {"private", core_private}, {"isSocket", core_is_socket},
    {NULL, NULL},
};

void dg_socket_add(lua_State *L, const luaL_Reg *new_methods, const luaL_Reg *new_core)
{
    dg_setfuncs(L, new_methods);
    lua_pushvalue(L, -2);
    dg_setfuncs(L, new_core);
    lua_pop(L, 1);
}

void dg_socket_add_closure(lua_State *L, const char *name, lua_CFunction function, const void *data)
{
    lua_pushlightuserdata(L, (void *)(uintptr_t)data);
    lua_pushcclosure(L, function, 1);
    lua_setfield(L, -2, name);
}

void dg_socket_add_meta(lua_State *L, const luaL_Reg *new_metamethods)
{
    dg_registry_get(L, DG_REGISTRY_METATABLE);
    dg_setfuncs(L, new_metamethods);
    lua_pop(L, 1);
}

void dg_socket_open(lua_State *L)
{
    lua_pushcfunction(L, nobody);
    dg_registry_set(L, DG_REGISTRY_NOBODY);
    dg_socket_add_meta(L, metamethods);
    dg_socket_add(L, methods, core);
}
