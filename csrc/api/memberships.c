/* SPDX-License-Identifier: MIT */
#include "memberships.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "../net/interface.h"
#include "../net/membership.h"
#include "../lua/arguments.h"
#include "../lua/error.h"
#include "../loop/luv.h"
#include "../socket/send_queue.h"
#include "../socket/work.h"

enum { MOST_INTERFACES = 256 };

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

/* Raises unless the argument is a string; the error names the first argument that is missing. */
static void require_address(lua_State *L, int index, const char *name)
{
    if (lua_isnoneornil(L, index) || (lua_type(L, index) == LUA_TSTRING && dg_rawlen(L, index) == 0))
        dg_error_raise(L, "TypeError", "ERR_MISSING_ARGS", "The \"%s\" argument must be specified", name);
    dg_argument_address(L, index, name);
}

/* Parses an address of the socket's own family; returns -EINVAL for any other text. */
static int parse(lua_State *L, const dg_socket *s, int index, dg_address *out)
{
    if (s->family == AF_UNIX)
        return -EOPNOTSUPP;
    int status = dg_address_parse(out, s->family, 0, lua_tostring(L, index), 0);
    return status == DG_NOT_A_LITERAL ? -EINVAL : status;
}

static int parse_interface(const char *text, unsigned *out)
{
    dg_interface interface;
    int status = dg_interface_find(text, &interface);
    *out = interface.index;
    return status == -EADDRNOTAVAIL ? -ENODEV : status;
}

static int change_at(const dg_socket *s, const operation *op, const dg_membership *wanted)
{
    return op->joins ? dg_membership_join(s->fd, wanted) : dg_membership_leave(s->fd, wanted);
}

/* Changes the membership on every interface that can do multicast. Returns 0 if it worked on one of them, else the
 * error of the first one. */
static int change_everywhere(const dg_socket *s, const operation *op, dg_membership *wanted)
{
    unsigned indexes[MOST_INTERFACES];
    int count = dg_interface_list_multicast(indexes, MOST_INTERFACES), first = 0, done = 0;
    if (count <= 0)
        return count < 0 ? count : -ENODEV;
    for (int i = 0; i < count; i++) {
        wanted->interface = indexes[i];
        int status = change_at(s, op, wanted);
        done += status == 0;
        first = first == 0 ? status : first;
    }
    return done != 0 ? 0 : first;
}

static int change(lua_State *L, const dg_socket *s, const operation *op)
{
    dg_membership wanted;
    int group = op->has_source ? 3 : 2;
    const char *interface = lua_isnoneornil(L, group + 1) ? "" : lua_tostring(L, group + 1);
    int everywhere = strcmp(interface, "*") == 0;
    wanted.source.length = 0;
    wanted.interface = 0;
    int status = op->has_source ? parse(L, s, 2, &wanted.source) : 0;
    if (status == 0)
        status = parse(L, s, group, &wanted.group);
    if (status == 0 && *interface != '\0' && !everywhere)
        status = parse_interface(interface, &wanted.interface);
    if (status != 0)
        return status;
    if (everywhere)
        return change_everywhere(s, op, &wanted);
    /* A group's zone names the interface as well as the argument does. */
    if (wanted.interface == 0 && s->family == AF_INET6)
        wanted.interface = wanted.group.u.in6.sin6_scope_id;
    return change_at(s, op, &wanted);
}

/* Returns advice about the addresses from index 2 up to the group's, or NULL. */
static const char *advice_for_addresses(lua_State *L, const dg_socket *s, int group)
{
    dg_address address;
    for (int index = 2; index <= group; index++) {
        const char *text = lua_tostring(L, index);
        if (dg_address_parse(&address, AF_INET6, 1, text, 0) == DG_NOT_A_LITERAL)
            return index == group ? "the group is no address" : "the source is no address";
        if (dg_address_parse(&address, s->family, 0, text, 0) != 0)
            return s->family == AF_INET ? "an IPv6 address on a udp4 socket" : "an IPv4 address on a udp6 socket";
    }
    return dg_address_is_multicast(&address) ? NULL : "this is no multicast group's address";
}

static const char *advice_for_arguments(lua_State *L, const dg_socket *s, int group)
{
    unsigned index;
    const char *advice = advice_for_addresses(L, s, group), *interface = lua_tostring(L, group + 1);
    if (advice != NULL || interface == NULL || strcmp(interface, "*") == 0)
        return advice;
    return parse_interface(interface, &index) == -EINVAL ? "there is no interface of this name" : NULL;
}

/* Returns the advice for a failed membership, or NULL. */
static const char *advice_for(lua_State *L, const dg_socket *s, const operation *op, int status)
{
    const int group = op->has_source ? 3 : 2, has_interface = !lua_isnoneornil(L, group + 1);
    if (status == -EOPNOTSUPP && s->family == AF_UNIX)
        return "not on a unix_dgram socket";
    if (op->joins && (status == -EADDRINUSE || status == -EADDRNOTAVAIL))
        return "joined before";
    if (status == -EADDRNOTAVAIL)
        return "not joined there";
    if (status == -ENODEV)
        return has_interface ? "this machine has no such interface" : "no route to the group: name an interface";
    return status == -EINVAL ? advice_for_arguments(L, s, group) : NULL;
}

static void set_text(lua_State *L, int index, const char *field)
{
    if (lua_isnoneornil(L, index))
        return;
    lua_pushvalue(L, index);
    lua_setfield(L, -2, field);
}

/* addMembership ENODEV 239.1.2.3 from 192.0.2.1 on eth7: this machine has no such interface */
static int raise_error(lua_State *L, const dg_socket *s, const operation *op, int status)
{
    const int group = op->has_source ? 3 : 2, has_interface = !lua_isnoneornil(L, group + 1);
    const char *advice = advice_for(L, s, op, status);
    lua_settop(L, group + 1);
    lua_pushfstring(L, "%s%s%s%s%s", lua_tostring(L, group), op->has_source ? " from " : "",
                    op->has_source ? lua_tostring(L, 2) : "", has_interface ? " on " : "",
                    has_interface ? lua_tostring(L, group + 1) : "");
    dg_error_push_system_text(L, status, op->method, -1, 0, advice);
    set_text(L, group, "address");
    set_text(L, group + 1, "interface");
    if (op->has_source)
        set_text(L, 2, "source");
    return lua_error(L);
}

/* socket:<method>([source,] group [, interface]). Joining binds an unbound socket, as in Node; but that is deferred
 * work, so that the program's own bind may follow. */
static int change_membership(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    const operation *op = lua_touserdata(L, lua_upvalueindex(1));
    int group = op->has_source ? 3 : 2;
    if (op->has_source)
        require_address(L, 2, "sourceAddress");
    require_address(L, group, op->has_source ? "groupAddress" : "multicastAddress");
    if (!lua_isnoneornil(L, group + 1))
        dg_argument_address(L, group + 1, "multicastInterface");
    dg_error_surplus(L, group + 1);
    dg_send_queue_flush(L, 1, s);
    int status = change(L, s, op);
    if (status != 0)
        return raise_error(L, s, op, status);
    if (s->local.state == DG_UNBOUND && op->joins && dg_luv_available(L))
        dg_work_add(L, 1, s, DG_WORK_BIND);
    return 0;
}

void dg_memberships_open(lua_State *L)
{
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        dg_socket_add_closure(L, operations[i].method, change_membership, &operations[i]);
    }
}
