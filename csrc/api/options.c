/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <stdint.h>

#include "../net/descriptor.h"
#include "../net/option.h"
#include "../lua/arguments.h"
#include "../lua/error.h"
#include "../socket/connect.h"
#include "../socket/receive.h"
#include "../socket/send_queue.h"
#include "../socket/socket.h"
#include "blocklists.h"

/* A method that sets an option: its name, what it takes, and the function that sets it. */
typedef struct option {
    const char *method;
    enum { FLAG, BYTE } kind;
    const char *argument; /* its name in messages */
    int least;            /* the smallest value of BYTE; the largest is 255 */
    int answers;          /* the method returns its argument, as in Node */
    int (*set)(int fd, int family, int value);
} option;

static const option options[] = {
    {"setBroadcast", FLAG, "flag", 0, 0, dg_option_set_broadcast},
    {"setTTL", BYTE, "ttl", 1, 1, dg_option_set_ttl},
    {"setMulticastTTL", BYTE, "ttl", 0, 1, dg_option_set_multicast_ttl},
    {"setMulticastLoopback", FLAG, "flag", 0, 1, dg_option_set_multicast_loopback},
    {"setTypeOfService", BYTE, "tos", 0, 0, dg_option_set_tos},
    {"setDontFragment", FLAG, "flag", 0, 0, dg_option_set_dont_fragment},
};

#define UP_OPTION lua_upvalueindex(1)

static int flag_argument(lua_State *L, const option *o)
{
    if (!lua_isboolean(L, 2))
        dg_error_arg_type(L, 2, o->argument, "a boolean");
    return lua_toboolean(L, 2);
}

static int byte_argument(lua_State *L, const option *o)
{
    int64_t value = 0;
    if (lua_type(L, 2) != LUA_TNUMBER)
        dg_error_arg_type(L, 2, o->argument, "a number");
    if (!dg_isinteger(L, 2, &value) || value < o->least || value > 255)
        dg_error_range(L, 2, o->argument, o->least == 0 ? "an integer >= 0 and <= 255" : "an integer >= 1 and <= 255");
    return (int)value;
}

/* Every method of the table above: socket:<method>(value). Flushes first, so that the option holds for later datagrams
 * only. setsockopt(2) */
static int set_option(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    const option *o = lua_touserdata(L, UP_OPTION);
    dg_error_surplus(L, 2);
    int value = o->kind == FLAG ? flag_argument(L, o) : byte_argument(L, o);
    dg_send_queue_flush(L, 1, s);
    int status = o->set(s->fd, s->family, value);
    if (status != 0) {
        dg_socket_push_advised(L, s, status, o->method, NULL);
        return lua_error(L);
    }
    lua_settop(L, 2);
    return o->answers;
}

/* Pushes the value that a method found out, or raises the system's error. */
static int answer(lua_State *L, const dg_socket *s, int status, const char *method, int value)
{
    if (status != 0) {
        dg_socket_push_advised(L, s, status, method, NULL);
        return lua_error(L);
    }
    lua_pushinteger(L, value);
    return 1;
}

/* socket:getTypeOfService() -> the traffic class; on a udp6 socket that of IPv6 datagrams. IP_TOS, IPV6_TCLASS */
static int socket_get_type_of_service(lua_State *L)
{
    const dg_socket *s = dg_socket_running(L);
    int tos = 0;
    dg_error_surplus(L, 1);
    int status = dg_option_get_tos(s->fd, s->family, &tos);
    return answer(L, s, status, "getTypeOfService", tos);
}

static int peer_family(const dg_socket *s)
{
    const dg_address *peer = s->peer.address;
    if (s->family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&peer->u.in6.sin6_addr))
        return AF_INET;
    return s->family;
}

/* socket:getPathMTU() -> bytes, with IP's and UDP's headers. Some options make the kernel forget the way until the next
 * send; connecting to the same peer again makes it look for the way, and changes nothing else. IP_MTU, IPV6_MTU
 * Raises ERR_SOCKET_DGRAM_NOT_CONNECTED. */
static int socket_get_path_mtu(lua_State *L)
{
    const dg_socket *s = dg_connect_check(L);
    int family = peer_family(s), bytes = 0;
    int status = dg_option_get_path_mtu(s->fd, family, &bytes);
    if (status == -ENOTCONN) {
        status = dg_descriptor_connect(s->fd, s->peer.address);
        if (status == 0)
            status = dg_option_get_path_mtu(s->fd, family, &bytes);
    }
    return answer(L, s, status, "getPathMTU", bytes);
}

/* setMulticastInterface EADDRNOTAVAIL 192.0.2.1: no interface of this machine has this address */
static int raise_interface_error(lua_State *L, const dg_socket *s, int status)
{
    const char *advice = NULL;
    if (s->family == AF_UNIX) {
        dg_socket_push_advised(L, s, status, "setMulticastInterface", NULL);
        return lua_error(L);
    }
    if (status == -EADDRNOTAVAIL)
        advice = "no interface of this machine has this address";
    else if (status == -EINVAL || status == -ENODEV)
        advice = "this machine has no such interface";
    dg_error_push_system_text(L, status, "setMulticastInterface", 2, 0, advice);
    lua_pushnil(L);
    lua_setfield(L, -2, "address");
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, "interface");
    return lua_error(L);
}

/* socket:setMulticastInterface(address): sets the interface that multicast leaves by: its address, "::%eth0" or "eth0";
 * "0.0.0.0" or "::" leaves the choice to the kernel. */
static int socket_set_multicast_interface(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    dg_interface interface;
    dg_error_surplus(L, 2);
    int status = dg_interface_find(dg_argument_address(L, 2, "multicastInterface"), &interface);
    dg_send_queue_flush(L, 1, s);
    if (status == 0)
        status = dg_option_set_multicast_interface(s->fd, s->family, dg_socket_maps(s), &interface);
    return status == 0 ? 0 : raise_interface_error(L, s, status);
}

static void keep(lua_State *L, int list, int slot)
{
    dg_getuservalue(L, 1);
    lua_pushvalue(L, list);
    lua_rawseti(L, -2, slot);
    lua_pop(L, 1);
}

/* core.setLimits(socket, sendQueueLimit | nil, receiveBlockList | nil, sendBlockList | nil) */
static int core_set_limits(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    int64_t limit = 0;
    const dg_blocklist *receive = lua_isnoneornil(L, 3) ? NULL : dg_blocklists_check(L, 3, "options.receiveBlockList");
    const dg_blocklist *send = lua_isnoneornil(L, 4) ? NULL : dg_blocklists_check(L, 4, "options.sendBlockList");
    if (!lua_isnoneornil(L, 2)) {
        if (lua_type(L, 2) != LUA_TNUMBER)
            dg_error_arg_type(L, 2, "options.sendQueueLimit", "a number");
        if (!dg_isinteger(L, 2, &limit) || limit < 1)
            dg_error_range(L, 2, "options.sendQueueLimit", "an integer of 1 or more");
        dg_send_queue_set_limit(s, (uint64_t)limit < SIZE_MAX / 4 ? (size_t)limit : SIZE_MAX / 4);
    }
    if (receive != NULL)
        keep(L, 3, DG_SLOT_RECEIVE_BLOCK);
    if (send != NULL)
        keep(L, 4, DG_SLOT_SEND_BLOCK);
    dg_receive_set_block_list(s, receive);
    dg_send_queue_set_block_list(s, send);
    return 0;
}

static const luaL_Reg methods[] = {
    {"getTypeOfService", socket_get_type_of_service},
    {"getPathMTU", socket_get_path_mtu},
    {NULL, NULL},
};

static const luaL_Reg core[] = {{"setLimits", core_set_limits}, {NULL, NULL}};

void dg_options_open(lua_State *L)
{
    dg_socket_add(L, methods, core);
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        dg_socket_add_closure(L, options[i].method, set_option, &options[i]);
    dg_socket_add_closure(L, "setMulticastInterface", socket_set_multicast_interface, NULL);
}
