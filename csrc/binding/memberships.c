/* SPDX-License-Identifier: MIT */
#include "memberships.h"

#include <errno.h>
#include <stdint.h>

#include "../net/interface.h"
#include "../net/membership.h"
#include "error.h"
#include "loop.h"
#include "send_arguments.h"
#include "tick.h"

typedef struct operation {
    const char *method;
    int has_source; /* takes (source, group) instead of (group) */
    int joins;
} operation;

static const operation operations[] = {
    {"addMembership", 0, 1},
    {"dropMembership", 0, 0},
    {"addSourceSpecificMembership", 1, 1},
    {"dropSourceSpecificMembership", 1, 0},
};

/* Checks that the argument is an address of some kind; the first missing one is what the error names. */
static void require_address(lua_State *L, int index, const char *name)
{
    if (lua_isnoneornil(L, index) || (lua_type(L, index) == LUA_TSTRING && dg_rawlen(L, index) == 0))
        dg_error_raise(L, "TypeError", "ERR_MISSING_ARGS", "The \"%s\" argument must be specified", name);
    dg_argument_address(L, index, name);
}

/* An address of the socket's own family; -EINVAL for any other text. */
static int parse(lua_State *L, const dg_socket *s, int index, dg_address *out)
{
    int status = dg_address_parse(out, s->family, 0, lua_tostring(L, index), 0);
    return status == DG_NOT_A_LITERAL ? -EINVAL : status;
}

static int parse_interface(lua_State *L, int index, unsigned *out)
{
    dg_interface interface;
    *out = 0;
    if (lua_isnoneornil(L, index))
        return 0;
    int status = dg_interface_find(lua_tostring(L, index), &interface);
    *out = interface.index;
    return status == -EADDRNOTAVAIL ? -ENODEV : status;
}

static int change(lua_State *L, const dg_socket *s, const operation *op)
{
    dg_membership wanted;
    int group = op->has_source ? 3 : 2;
    wanted.source.length = 0;
    int status = op->has_source ? parse(L, s, 2, &wanted.source) : 0;
    if (status == 0)
        status = parse(L, s, group, &wanted.group);
    if (status == 0)
        status = parse_interface(L, group + 1, &wanted.interface);
    /* A group's zone names the interface as well as the argument does. */
    if (status == 0 && wanted.interface == 0 && s->family == AF_INET6)
        wanted.interface = wanted.group.u.in6.sin6_scope_id;
    if (status != 0)
        return status;
    return op->joins ? dg_membership_join(s->fd, &wanted) : dg_membership_leave(s->fd, &wanted);
}

/* socket:<method>([source,] group [, interface]). Joining an unbound socket binds it, as in Node, but on the tick: so that
 * the program's own bind may follow. */
static int change_membership(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    const operation *op = lua_touserdata(L, lua_upvalueindex(2));
    int group = op->has_source ? 3 : 2;
    if (op->has_source)
        require_address(L, 2, "sourceAddress");
    require_address(L, group, op->has_source ? "groupAddress" : "multicastAddress");
    if (!lua_isnoneornil(L, group + 1))
        dg_argument_address(L, group + 1, "multicastInterface");
    dg_error_surplus(L, group + 1);
    int status = change(L, s, op);
    if (status != 0)
        return dg_error_raise_system(L, status, op->method, NULL);
    if (!s->bound && !s->binding && op->joins && dg_loop_available(L))
        dg_tick_due(L, 1, s, DG_DUE_BIND);
    return 0;
}

void dg_memberships_open(lua_State *L)
{
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        dg_hub_get(L, DG_STORE_METATABLE);
        lua_pushlightuserdata(L, (void *)(uintptr_t)&operations[i]);
        lua_pushcclosure(L, change_membership, 2);
        lua_setfield(L, -2, operations[i].method);
    }
}
