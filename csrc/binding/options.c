/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <stdint.h>

#include "../net/option.h"
#include "error.h"
#include "outbox.h"
#include "send_arguments.h"
#include "socket.h"

/* Options are data: what each method is called, what it takes, and how the kernel is told. */
typedef struct option {
    const char *method;
    enum { FLAG, HOPS } kind;
    int least;   /* of HOPS; the most is 255 */
    int answers; /* returns what it was given, as in Node */
    int (*set)(int fd, int family, int value);
} option;

static const option options[] = {
    {"setBroadcast", FLAG, 0, 0, dg_option_set_broadcast},
    {"setTTL", HOPS, 1, 1, dg_option_set_ttl},
    {"setMulticastTTL", HOPS, 0, 1, dg_option_set_multicast_ttl},
    {"setMulticastLoopback", FLAG, 0, 1, dg_option_set_multicast_loopback},
};

#define UP_OPTION lua_upvalueindex(1)

static int flag_argument(lua_State *L)
{
    if (!lua_isboolean(L, 2))
        dg_error_arg_type(L, 2, "flag", "a boolean");
    return lua_toboolean(L, 2);
}

static int hops_argument(lua_State *L, const option *o)
{
    int64_t hops = 0;
    if (lua_type(L, 2) != LUA_TNUMBER)
        dg_error_arg_type(L, 2, "ttl", "a number");
    if (!dg_isinteger(L, 2, &hops) || hops < o->least || hops > 255)
        dg_error_range(L, 2, "ttl", o->least == 0 ? "an integer >= 0 and <= 255" : "an integer >= 1 and <= 255");
    return (int)hops;
}

/* Every method of the table above: socket:<method>(value). What was sent before has left by then. setsockopt(2) */
static int set_option(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    const option *o = lua_touserdata(L, UP_OPTION);
    dg_error_surplus(L, 2);
    int value = o->kind == FLAG ? flag_argument(L) : hops_argument(L, o);
    dg_outbox_flush(L, 1, s);
    int status = o->set(s->fd, s->family, value);
    if (status != 0) {
        dg_socket_push_advised(L, s, status, o->method, NULL);
        return lua_error(L);
    }
    lua_settop(L, 2);
    return o->answers;
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

/* socket:setMulticastInterface(address): where multicast leaves: an address of the interface, "::%eth0" or "eth0";
 * "0.0.0.0" or "::" leaves it to the kernel. */
static int socket_set_multicast_interface(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    dg_interface interface;
    dg_error_surplus(L, 2);
    int status = dg_interface_find(dg_argument_address(L, 2, "multicastInterface"), &interface);
    dg_outbox_flush(L, 1, s);
    if (status == 0)
        status = dg_option_set_multicast_interface(s->fd, s->family, dg_socket_maps(s), &interface);
    return status == 0 ? 0 : raise_interface_error(L, s, status);
}

typedef struct buffer {
    const char *getter, *setter, *syscall;
    int (*get)(int fd, int *bytes);
    int (*set)(int fd, int family, int bytes);
} buffer;

static const buffer buffers[] = {
    {"getRecvBufferSize", "setRecvBufferSize", "uv_recv_buffer_size", dg_option_get_receive_buffer,
     dg_option_set_receive_buffer},
    {"getSendBufferSize", "setSendBufferSize", "uv_send_buffer_size", dg_option_get_send_buffer,
     dg_option_set_send_buffer},
};

static int raise_buffer_error(lua_State *L, const buffer *b, int status)
{
    lua_pushcfunction(L, dg_error_new_system);
    lua_pushinteger(L, status);
    lua_pushstring(L, b->syscall);
    lua_call(L, 2, 1);
    lua_pushliteral(L, "ERR_SOCKET_BUFFER_SIZE");
    lua_setfield(L, -2, "code");
    lua_getfield(L, -1, "message");
    lua_pushfstring(L, "Could not get or set buffer size: %s", lua_tostring(L, -1));
    lua_setfield(L, -3, "message");
    lua_pop(L, 1);
    return lua_error(L);
}

void dg_options_set_buffers(lua_State *L, int index, int fd, int family)
{
    for (int i = 0; i < 2; i++) {
        int status = lua_isnoneornil(L, index + i) ? 0 : buffers[i].set(fd, family, (int)lua_tointeger(L, index + i));
        if (status != 0)
            raise_buffer_error(L, &buffers[i], status);
    }
}

/* socket:getRecvBufferSize(), socket:getSendBufferSize(): bytes, as the kernel counts. */
static int get_buffer(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    const buffer *b = lua_touserdata(L, UP_OPTION);
    int bytes;
    dg_error_surplus(L, 1);
    int status = b->get(s->fd, &bytes);
    if (status != 0)
        return raise_buffer_error(L, b, status);
    lua_pushinteger(L, bytes);
    return 1;
}

/* socket:setRecvBufferSize(bytes), socket:setSendBufferSize(bytes). SO_RCVBUF, SO_SNDBUF */
static int set_buffer(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    const buffer *b = lua_touserdata(L, UP_OPTION);
    int64_t bytes = 0;
    dg_error_surplus(L, 2);
    if (!dg_isinteger(L, 2, &bytes) || bytes < 0 || (uint64_t)bytes > UINT32_MAX)
        return dg_error_raise(L, "TypeError", "ERR_SOCKET_BAD_BUFFER_SIZE",
                              "The buffer size must be an integer from 0 to 4294967295. Received %s",
                              dg_error_received(L, 2));
    dg_outbox_flush(L, 1, s);
    int status = bytes <= INT32_MAX ? b->set(s->fd, s->family, (int)bytes) : -EINVAL;
    if (status != 0)
        return raise_buffer_error(L, b, status);
    return 0;
}

static void add_method(lua_State *L, const char *name, lua_CFunction function, const void *data)
{
    lua_pushlightuserdata(L, (void *)(uintptr_t)data);
    lua_pushcclosure(L, function, 1);
    lua_setfield(L, -2, name);
}

void dg_options_open(lua_State *L)
{
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        add_method(L, options[i].method, set_option, &options[i]);
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
        add_method(L, buffers[i].getter, get_buffer, &buffers[i]);
        add_method(L, buffers[i].setter, set_buffer, &buffers[i]);
    }
    add_method(L, "setMulticastInterface", socket_set_multicast_interface, NULL);
}
