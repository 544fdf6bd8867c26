/* SPDX-License-Identifier: MIT */
#include "socket.h"

#include <errno.h>
#include <string.h>

#include "../net/descriptor.h"
#include "error.h"
#include "loop.h"
#include "receive.h"
#include "tick.h"

dg_socket *dg_socket_check(lua_State *L)
{
    dg_socket *s = lua_touserdata(L, 1);
    if (s != NULL && lua_getmetatable(L, 1)) {
        int ours = lua_rawequal(L, -1, DG_UP_METATABLE);
        lua_pop(L, 1);
        if (ours)
            return s;
    }
    dg_error_arg_type(L, 1, "self", "a dgram.Socket (call methods with a colon)");
    return NULL;
}

dg_socket *dg_socket_running(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    if (s->life != DG_OPEN)
        dg_error_raise(L, "Error", "ERR_SOCKET_DGRAM_NOT_RUNNING", "Not running: the socket is closed");
    return s;
}

dg_socket *dg_socket_test(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
        return NULL;
    dg_hub_get(L, DG_STORE_METATABLE);
    int ours = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return ours ? lua_touserdata(L, index) : NULL;
}

void dg_socket_push(lua_State *L, const dg_socket *s)
{
    dg_hub_get(L, DG_STORE_SOCKETS);
    dg_rawgetp(L, -1, s);
    lua_remove(L, -2);
}

static int wants_anchor(const dg_socket *s)
{
    if (s->due != 0 || s->doing != 0 || s->hub->serving == s || s->blocked || s->held != 0 || s->binding)
        return 1;
    return s->life == DG_OPEN && s->bound && s->receiving && !s->paused;
}

static void update_anchor(lua_State *L, int index, dg_socket *s)
{
    int wanted = wants_anchor(s);
    if (wanted == s->anchored)
        return;
    index = dg_absindex(L, index);
    dg_hub_get(L, DG_STORE_ANCHORS);
    if (wanted)
        lua_pushvalue(L, index);
    else
        lua_pushnil(L);
    dg_rawsetp(L, -2, s);
    lua_pop(L, 1);
    s->anchored = (unsigned char)wanted;
}

void dg_socket_update(lua_State *L, int index, dg_socket *s)
{
    unsigned watch = 0;
    if (s->life == DG_OPEN && s->bound)
        watch = s->receiving && !s->paused ? DG_WATCH_READ : DG_WATCH_ALIVE;
    if (s->blocked && s->fd >= 0)
        watch = (watch & DG_WATCH_READ) | DG_WATCH_WRITE;
    update_anchor(L, index, s);
    if (watch != s->watching || s->unreferenced != s->poll_unreferenced)
        dg_loop_watch(L, index, s, watch);
}

static int bind_to(lua_State *L, int index, dg_socket *s, const dg_address *address)
{
    int status = dg_descriptor_bind(s->fd, address);
    if (status != 0)
        return status;
    s->bound = 1;
    dg_socket_update(L, index, s);
    lua_pushnil(L);
    dg_tick_emit(L, index, "listening");
    return 0;
}

int dg_socket_bind_any(lua_State *L, int index, dg_socket *s)
{
    dg_address any;
    if (s->bound || s->binding)
        return 0;
    dg_address_any(&any, s->family, 0);
    return bind_to(L, index, s, &any);
}

void dg_socket_finish_close(lua_State *L, int index, dg_socket *s)
{
    if (s->life != DG_CLOSING || dg_queue_count(&s->queue) != 0 || s->held != 0)
        return;
    if (s->fd >= 0) {
        s->blocked = 0;
        dg_loop_release(L, index, s);
    }
    if (s->queue.to_report != 0)
        return;
    s->life = DG_CLOSED;
    dg_queue_free(&s->queue);
    lua_pushnil(L);
    dg_tick_emit(L, index, "close");
    update_anchor(L, index, s);
}

static void begin_close(lua_State *L, int index, dg_socket *s)
{
    s->life = DG_CLOSING;
    s->binding = 0;
    dg_receive_drop(s);
    /* What waits for nothing but its turn goes out now, and the port is free again when close() returns. */
    dg_tick_due(L, index, s, DG_DUE_FLUSH | DG_DUE_CLOSE);
    dg_socket_update(L, index, s);
    if (dg_queue_count(&s->queue) == 0)
        dg_socket_finish_close(L, index, s);
}

/* core.close(socket): stops receiving at once; what was accepted still goes out, then `close` is emitted. */
static int core_close(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    lua_settop(L, 1);
    begin_close(L, 1, s);
    return 1;
}

/* core.discard(socket): for one that nobody has seen yet; closes it without a word. */
static int core_discard(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    dg_descriptor_close(s->fd);
    s->fd = -1;
    s->life = DG_CLOSED;
    return 0;
}

/* Lua 5.4's to-be-closed variables; closed already is fine there. */
static int socket_meta_close(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    if (s->life == DG_OPEN)
        begin_close(L, 1, s);
    return 0;
}

static int socket_gc(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    dg_receive_drop(s);
    dg_loop_forget(L, 1, s);
    s->life = DG_CLOSED;
    dg_queue_free(&s->queue);
    return 0;
}

static const char *type_name(const dg_socket *s)
{
    return s->family == AF_INET6 ? "udp6" : "udp4";
}

static int socket_tostring(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    dg_address name;
    char text[DG_ADDRESS_TEXT];
    if (s->life != DG_OPEN || !s->bound || dg_descriptor_name(s->fd, &name) != 0) {
        lua_pushfstring(L, "dgram.Socket (%s %s)", type_name(s), s->life != DG_OPEN ? "closed" : "unbound");
        return 1;
    }
    dg_address_format(&name, text);
    lua_pushfstring(L, s->family == AF_INET6 ? "dgram.Socket (%s [%s]:%d)" : "dgram.Socket (%s %s:%d)", type_name(s),
                    text, (int)dg_address_port(&name));
    return 1;
}

/* core.bind(socket, port, address | nil): true, or false when the address is no literal, or nil and the error object. */
static int core_bind(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    dg_address address;
    unsigned port = (unsigned)luaL_checkinteger(L, 2);
    const char *text = luaL_optstring(L, 3, NULL);
    int status = 0;
    if (text == NULL)
        dg_address_any(&address, s->family, port);
    else
        status = dg_address_parse(&address, s->family, dg_socket_maps(s), text, port);
    if (status == DG_NOT_A_LITERAL) {
        lua_pushboolean(L, 0);
        return 1;
    }
    int parsed = status == 0;
    if (parsed)
        status = bind_to(L, 1, s, &address);
    if (status == 0) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    if (parsed) {
        dg_error_push_system(L, status, "bind", &address);
        return 2;
    }
    lua_pushcfunction(L, dg_error_new_system);
    lua_pushinteger(L, status);
    lua_pushliteral(L, "bind");
    lua_pushvalue(L, 3);
    lua_pushinteger(L, (lua_Integer)port);
    lua_call(L, 4, 1);
    return 2;
}

/* core.setBinding(socket, boolean): while a bind waits for a name, sends wait too. */
static int core_set_binding(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    s->binding = (unsigned char)lua_toboolean(L, 2);
    if (!s->binding && dg_queue_count(&s->queue) != 0)
        dg_tick_due(L, 1, s, DG_DUE_FLUSH);
    dg_socket_update(L, 1, s);
    return 0;
}

/* core.state(socket): "open" or "closed", bound, binding. */
static int core_state(lua_State *L)
{
    const dg_socket *s = dg_socket_check(L);
    lua_pushstring(L, s->life == DG_OPEN ? "open" : "closed");
    lua_pushboolean(L, s->bound);
    lua_pushboolean(L, s->binding);
    return 3;
}

/* core.family(socket): 4 or 6. */
static int core_family(lua_State *L)
{
    const dg_socket *s = dg_socket_check(L);
    lua_pushinteger(L, s->family == AF_INET6 ? 6 : 4);
    return 1;
}

/* core.events(socket): the table of the emitter's listeners. */
static int core_events(lua_State *L)
{
    dg_socket_check(L);
    dg_gettable(L, 1);
    lua_rawgeti(L, -1, DG_SLOT_EVENTS);
    if (!lua_isnil(L, -1))
        return 1;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, DG_SLOT_EVENTS);
    return 1;
}

/* core.isSocket(x) */
static int core_is_socket(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, dg_socket_test(L, 1) != NULL);
    return 1;
}

/* socket:address() -> {address, family, port}; raises EBADF before bind. getsockname(2) */
static int socket_address(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    dg_address name;
    char text[DG_ADDRESS_TEXT];
    dg_error_surplus(L, 1);
    int status = s->bound ? dg_descriptor_name(s->fd, &name) : -EBADF;
    if (status != 0)
        return dg_error_raise_system(L, status, "getsockname", NULL);
    lua_createtable(L, 0, 3);
    lua_pushlstring(L, text, dg_address_format(&name, text));
    lua_setfield(L, -2, "address");
    lua_pushstring(L, name.u.any.sa_family == AF_INET6 ? "IPv6" : "IPv4");
    lua_setfield(L, -2, "family");
    lua_pushinteger(L, (lua_Integer)dg_address_port(&name));
    lua_setfield(L, -2, "port");
    return 1;
}

/* socket:fileno() -> the descriptor's number, which stays the socket's own. */
static int socket_fileno(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    dg_error_surplus(L, 1);
    lua_pushinteger(L, s->fd);
    return 1;
}

static int set_referenced(lua_State *L, int referenced)
{
    dg_socket *s = dg_socket_check(L);
    dg_error_surplus(L, 1);
    lua_settop(L, 1);
    s->unreferenced = (unsigned char)!referenced;
    dg_socket_update(L, 1, s);
    return 1;
}

/* socket:ref(), socket:unref(): whether the bound socket keeps the loop alive (it does at first). Return the socket. */
static int socket_ref(lua_State *L)
{
    return set_referenced(L, 1);
}

static int socket_unref(lua_State *L)
{
    return set_referenced(L, 0);
}

static const luaL_Reg methods[] = {
    {"address", socket_address}, {"fileno", socket_fileno}, {"ref", socket_ref}, {"unref", socket_unref}, {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", socket_gc},
    {"__close", socket_meta_close},
    {"__tostring", socket_tostring},
    {NULL, NULL},
};

static const luaL_Reg core[] = {
    {"close", core_close},        {"bind", core_bind},       {"setBinding", core_set_binding},
    {"state", core_state},        {"family", core_family},   {"events", core_events},
    {"isSocket", core_is_socket}, {"discard", core_discard}, {NULL, NULL},
};

void dg_socket_open(lua_State *L)
{
    dg_hub_get(L, DG_STORE_METATABLE);
    lua_pushvalue(L, -1);
    lua_pushvalue(L, -1);
    dg_setfuncs(L, metamethods, 1);
    lua_pop(L, 1);
    lua_pushvalue(L, -2); /* core, methods, metatable, methods */
    lua_pushvalue(L, -2);
    dg_setfuncs(L, methods, 1);
    lua_pop(L, 1);
    lua_pushvalue(L, -3);
    lua_insert(L, -2);
    dg_setfuncs(L, core, 1);
    lua_pop(L, 1);
}
