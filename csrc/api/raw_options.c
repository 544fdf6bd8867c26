/* SPDX-License-Identifier: MIT */
#include "raw_options.h"

#include <limits.h>
#include <string.h>

#include "../net/descriptor.h"
#include "../net/option.h"
#include "../net/option_name.h"
#include "../lua/error.h"
#include "../socket/asked.h"
#include "../socket/send_queue.h"
#include "../socket/socket.h"

enum { MOST_BYTES = 4096 }; /* the longest value that getOption asks for */

static int int_argument(lua_State *L, int index, const char *name)
{
    int64_t number = 0;
    if (!dg_isinteger(L, index, &number) || number < INT_MIN || number > INT_MAX)
        dg_error_range(L, index, name, "an integer >= -2147483648 and <= 2147483647");
    return (int)number;
}

/* Returns a level or an option, which is given by its number or by the name of the system's constant. */
static int constant_argument(lua_State *L, int index, const char *name)
{
    int number;
    if (lua_type(L, index) == LUA_TNUMBER)
        return int_argument(L, index, name);
    if (lua_type(L, index) != LUA_TSTRING || strlen(lua_tostring(L, index)) != dg_rawlen(L, index) ||
        !dg_option_name_find(lua_tostring(L, index), &number))
        return dg_error_arg_type(L, index, name, "an integer, or the name of a constant that dgram knows here");
    return number;
}

static int raise(lua_State *L, const dg_socket *s, int status, const char *syscall)
{
    dg_socket_push_advised(L, s, status, syscall, NULL);
    return lua_error(L);
}

/* An option was set: reads back from the descriptor what the socket depends on, which is the addresses that it takes,
 * the offloads, and the room for what comes with a datagram. What the program has set is not changed later. */
static void look_again(dg_socket *s, int level)
{
    dg_descriptor_facts facts;
    if (level == IPPROTO_IPV6 && s->family == AF_INET6 && dg_descriptor_inspect(s->fd, &facts) == 0) {
        s->v6only = (unsigned char)facts.v6only;
        s->family = facts.family; /* IPV6_ADDRFORM */
    }
    if (level == IPPROTO_UDP && s->family != AF_UNIX) {
        dg_offloads now;
        dg_os_offloads(s->fd, &now);
        s->tx.transmitter.offloads.coalesce = now.coalesce;
        s->tx.transmitter.offloads.can_coalesce = 0;
    }
    if (s->family == AF_UNIX)
        dg_asked_look_again(s);
}

/* socket:setOption(level, name, value): sets an integer as an int, a string as its bytes. Flushes first, so that the
 * option holds for later datagrams only. setsockopt(2) */
static int socket_set_option(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    int level = constant_argument(L, 2, "level"), name = constant_argument(L, 3, "name"), number = 0;
    const void *value = &number;
    size_t length = sizeof number;
    if (lua_type(L, 4) == LUA_TSTRING)
        value = lua_tolstring(L, 4, &length);
    else if (lua_type(L, 4) == LUA_TNUMBER)
        number = int_argument(L, 4, "value");
    else
        return dg_error_arg_type(L, 4, "value", "an integer or a string");
    dg_error_surplus(L, 4);
    if (length > INT_MAX)
        return dg_error_raise(L, "RangeError", "ERR_OUT_OF_RANGE", "The value of an option has too many bytes");
    dg_send_queue_flush(L, 1, s);
    int status = dg_option_set_bytes(s->fd, level, name, value, length);
    if (status != 0)
        return raise(L, s, status, "setsockopt");
    look_again(s, level);
    return 0;
}

/* socket:getOption(level, name) -> an integer where the kernel returns as many bytes as an int has, else the bytes as a
 * string. getsockopt(2) */
static int socket_get_option(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    int level = constant_argument(L, 2, "level"), name = constant_argument(L, 3, "name"), number;
    char value[MOST_BYTES];
    size_t length = sizeof value;
    dg_error_surplus(L, 3);
    memset(value, 0, sizeof value); /* some options read what is there */
    int status = dg_option_get_bytes(s->fd, level, name, value, &length);
    if (status != 0)
        return raise(L, s, status, "getsockopt");
    if (length == sizeof number) {
        memcpy(&number, value, sizeof number);
        lua_pushinteger(L, number);
    } else {
        lua_pushlstring(L, value, length);
    }
    return 1;
}

static const luaL_Reg methods[] = {
    {"setOption", socket_set_option},
    {"getOption", socket_get_option},
    {NULL, NULL},
};

void dg_raw_options_open(lua_State *L)
{
    dg_socket_add(L, methods, NULL);
}
