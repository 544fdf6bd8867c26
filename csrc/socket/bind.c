/* SPDX-License-Identifier: MIT */
#include "bind.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "../net/descriptor.h"
#include "../lua/advice.h"
#include "../lua/errno_name.h"
#include "../lua/error.h"
#include "../loop/luv.h"
#include "watch.h"
#include "work.h"

enum { NO_MODE = -1 }; /* the umask decides the file's mode */

/* Does what may fail in luv and in Lua before bind(2), which cannot be undone. Arguments: the socket, its light
 * userdata. Returns whether `listening` will be emitted. */
static int prepare_body(lua_State *L)
{
    dg_socket *s = lua_touserdata(L, 2);
    s->local.will_bind = 1;
    dg_watch_update(L, 1, s);
    lua_pushboolean(L, dg_work_prepare(L, 1, "listening"));
    return 1;
}

int dg_bind_prepare(lua_State *L, int index, dg_socket *s, int *has_event)
{
    int status = dg_socket_call(L, index, s, prepare_body, 0, 1);
    s->local.will_bind = 0;
    if (status != 0)
        return 0;
    *has_event = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return 1;
}

static int protected_update(lua_State *L)
{
    dg_watch_update(L, 1, lua_touserdata(L, 2));
    return 0;
}

/* Nothing was bound, so luv need not watch. Without memory the next change of state stops the poll. */
static void undo_watch(lua_State *L, int index, dg_socket *s)
{
    if (dg_socket_call(L, index, s, protected_update, 0, 0) != 0)
        lua_pop(L, 1);
}

/* Pops the error that dg_bind_prepare failed with. An error of the kernel's that luv has passed on is bind's own
 * failure, and returned as a negative errno. Any other error is raised: Lua has no memory, or other code has a poll for
 * the descriptor. */
static int failed_to_prepare(lua_State *L)
{
    int status = 0;
    if (lua_istable(L, -1)) {
        lua_getfield(L, -1, "code");
        if (lua_type(L, -1) == LUA_TSTRING)
            status = dg_errno_value(lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    if (status == 0 || status == -EEXIST)
        lua_error(L);
    lua_pop(L, 1);
    return status;
}

/* Calls bind(2). A finalizer that ran in the preparation may have closed the socket, or bound it. */
static int bind_descriptor(dg_socket *s, const dg_address *address, int mode)
{
    const dg_unix_wishes wishes = {mode, s->local.clears_dead};
    if (s->life != DG_OPEN)
        return -EBADF;
    if (s->local.state == DG_BOUND)
        return -EINVAL;
    if (address == NULL)
        return 0;
    return s->family == AF_UNIX ? dg_unix_file_bind(&s->local.file, s->fd, address, &wishes)
                                : dg_descriptor_bind(s->fd, address);
}

/* Binds the socket; without an address it only counts as bound. Returns 0, or a negative errno with nothing changed. */
static int bind_to(lua_State *L, int index, dg_socket *s, const dg_address *address, int mode)
{
    int has_event;
    if (!dg_bind_prepare(L, index, s, &has_event)) {
        undo_watch(L, index, s);
        return failed_to_prepare(L);
    }
    int status = bind_descriptor(s, address, mode);
    if (status == 0) {
        s->local.state = DG_BOUND;
        dg_work_commit(s, has_event);
        dg_watch_update(L, index, s);
    } else {
        if (has_event)
            dg_work_cancel(L, s->state);
        undo_watch(L, index, s);
    }
    return status;
}

int dg_bind_bind_any(lua_State *L, int index, dg_socket *s)
{
    dg_address any;
    if (s->local.state != DG_UNBOUND)
        return 0;
    if (s->family != AF_UNIX) {
        dg_address_any(&any, s->family, 0);
        return bind_to(L, index, s, &any, NO_MODE);
    }
#if defined(__linux__) /* only Linux chooses a name; elsewhere the socket has none, and nobody can reply */
    dg_address_unix(&any, "", 0);
    return bind_to(L, index, s, &any, NO_MODE);
#else
    return bind_to(L, index, s, NULL, NO_MODE);
#endif
}

int dg_bind_parse(lua_State *L, const dg_socket *s, dg_address *out, unsigned *port,
                  void (*absent)(dg_address *out, int family, unsigned port))
{
    size_t length = 0;
    const char *text = luaL_optlstring(L, 3, NULL, &length);
    *port = (unsigned)luaL_optinteger(L, 2, 0);
    if (s->family == AF_UNIX)
        return dg_address_unix(out, text != NULL ? text : "", length);
    if (text != NULL)
        return dg_address_parse(out, s->family, dg_socket_maps(s), text, *port);
    absent(out, s->family, *port);
    return 0;
}

int dg_bind_answer(lua_State *L, int status, const char *syscall, const dg_address *address, unsigned port)
{
    if (status == 0 || status == DG_NOT_A_LITERAL) {
        lua_pushboolean(L, status == 0);
        return 1;
    }
    const dg_socket *s = dg_socket_check(L);
    lua_pushnil(L);
    if (address != NULL)
        dg_socket_push_advised(L, s, status, syscall, address);
    else
        dg_error_push_system_text(L, status, syscall, 3, port,
                                  dg_advice_for_text(status, s->family, lua_tostring(L, 3)));
    return 2;
}

/* core.bind(socket, port | nil, address | nil, mode | nil): true, or false when the address is a name, or nil and the
 * error object. */
static int core_bind(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    dg_address address;
    unsigned port;
    int status = dg_bind_parse(L, s, &address, &port, dg_address_any);
    if (status != 0)
        return dg_bind_answer(L, status, "bind", NULL, port);
    status = bind_to(L, 1, s, &address, (int)luaL_optinteger(L, 4, NO_MODE));
    if (s->life != DG_OPEN)
        dg_socket_raise_closed(L);
    return dg_bind_answer(L, status, "bind", &address, port);
}

/* Reads the arguments of a bind in its most common form, (self [, port] [, address]), to a literal. Returns 0 for any
 * other form. */
static int plain_destination(lua_State *L, const dg_socket *s, dg_address *out)
{
    int64_t port = 0;
    if (lua_gettop(L) > 3 || s->family == AF_UNIX)
        return 0;
    if (!lua_isnoneornil(L, 2) && (!dg_isinteger(L, 2, &port) || port < 0 || port > 65535))
        return 0;
    if (lua_isnoneornil(L, 3)) {
        dg_address_any(out, s->family, (unsigned)port);
        return 1;
    }
    return lua_type(L, 3) == LUA_TSTRING && strlen(lua_tostring(L, 3)) == dg_rawlen(L, 3) &&
           dg_address_parse(out, s->family, dg_socket_maps(s), lua_tostring(L, 3), (unsigned)port) == 0;
}

/* core.bindPlain(socket, ...): binds to a literal, without a callback. Returns the socket; or returns nothing and has
 * changed nothing: then bind.lua does it the general way, and finds the error. */
static int core_bind_plain(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    dg_address address;
    if (!dg_luv_available(L) || s->local.state != DG_UNBOUND || !plain_destination(L, s, &address) ||
        bind_to(L, 1, s, &address, NO_MODE) != 0)
        return 0;
    lua_settop(L, 1);
    return 1;
}

/* core.bindAny(socket): binds it if it is unbound; nil, or the error object. */
static int core_bind_any(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    int status = dg_bind_bind_any(L, 1, s);
    if (status == 0)
        return 0;
    dg_error_push_system(L, status, "bind", NULL);
    return 1;
}

/* core.isAddress(socket, value): whether it is a literal of the socket's family. */
static int core_is_address(lua_State *L)
{
    const dg_socket *s = dg_socket_check(L);
    dg_address address;
    int literal = lua_type(L, 2) == LUA_TSTRING && strlen(lua_tostring(L, 2)) == dg_rawlen(L, 2) &&
                  dg_address_parse(&address, s->family, dg_socket_maps(s), lua_tostring(L, 2), 0) == 0;
    lua_pushboolean(L, literal);
    return 1;
}

/* core.lacksZone(socket, literal): whether it is a link-local address without a zone, and the socket is not bound to an
 * interface either. */
static int core_lacks_zone(lua_State *L)
{
    const dg_socket *s = dg_socket_check(L);
    dg_address address;
    int lacks = dg_address_parse(&address, s->family, dg_socket_maps(s), luaL_checkstring(L, 2), 0) == 0 &&
                dg_address_lacks_zone(&address) && !dg_address_is_multicast(&address);
    lua_pushboolean(L, lacks && dg_descriptor_device(s->fd) == 0);
    return 1;
}

/* core.isLiteral(text): whether it is an address of any family, and not a name. */
static int core_is_literal(lua_State *L)
{
    dg_address address;
    lua_pushboolean(L, dg_address_parse(&address, AF_INET6, 1, luaL_checkstring(L, 1), 0) != DG_NOT_A_LITERAL);
    return 1;
}

/* core.setBinding(socket, boolean): while a bind waits for a name, sends wait too. */
static int core_set_binding(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    if (lua_toboolean(L, 2))
        s->local.state = DG_BINDING;
    else
        dg_bind_end_lookup(s);
    if (s->local.state != DG_BINDING && dg_queue_count(&s->tx.queue) != 0)
        dg_work_add(L, 1, s, DG_WORK_FLUSH);
    dg_watch_update(L, 1, s);
    return 0;
}

int dg_bind_push_address(lua_State *L, const dg_address *address)
{
    char text[DG_ADDRESS_TEXT];
    int family = address->u.any.sa_family;
    lua_createtable(L, 0, 3);
    lua_pushlstring(L, text, dg_address_format(address, text));
    lua_setfield(L, -2, "address");
    lua_pushstring(L, family == AF_UNIX ? "unix" : family == AF_INET6 ? "IPv6" : "IPv4");
    lua_setfield(L, -2, "family");
    if (family == AF_UNIX)
        return 1;
    lua_pushinteger(L, (lua_Integer)dg_address_port(address));
    lua_setfield(L, -2, "port");
    return 1;
}

/* socket:address() -> {address, family, port}, for unix_dgram {address, family}; raises EBADF before bind.
 * getsockname(2) */
static int socket_address(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    dg_address name;
    dg_error_surplus(L, 1);
    int status = dg_descriptor_name(s->fd, &name);
    if (status == 0 && s->local.state != DG_BOUND && dg_address_port(&name) == 0)
        return dg_error_raise_advised(L, -EBADF, "getsockname", "the socket is not bound yet");
    if (status != 0) {
        dg_socket_push_advised(L, s, status, "getsockname", NULL);
        return lua_error(L);
    }
    return dg_bind_push_address(L, &name);
}

static const luaL_Reg methods[] = {
    {"address", socket_address},
    {NULL, NULL},
};

static const luaL_Reg core[] = {
    {"bind", core_bind},
    {"bindPlain", core_bind_plain},
    {"bindAny", core_bind_any},
    {"isAddress", core_is_address},
    {"lacksZone", core_lacks_zone},
    {"isLiteral", core_is_literal},
    {"setBinding", core_set_binding},
    {NULL, NULL},
};

void dg_bind_open(lua_State *L)
{
    dg_socket_add(L, methods, core);
}
