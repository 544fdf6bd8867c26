/* SPDX-License-Identifier: MIT */
#include "send_options.h"

#include "../net/descriptor.h"
#include "../net/interface.h"
#include "../lua/advice.h"
#include "../lua/arguments.h"
#include "../lua/error.h"
#include "destination.h"

/* The texts of a table; NULL: absent. They are the table's, and valid until the next allocation in Lua. */
typedef struct texts {
    const char *source, *interface_name;
} texts;

static unsigned char byte_value(lua_State *L, int index, const char *name, int least)
{
    int64_t value = 0;
    if (lua_type(L, index) != LUA_TNUMBER)
        dg_error_arg_type(L, index, name, "a number");
    if (!dg_isinteger(L, index, &value) || value < least || value > 255)
        dg_error_range(L, index, name, least == 0 ? "an integer >= 0 and <= 255" : "an integer >= 1 and <= 255");
    return (unsigned char)value;
}

/* Takes the option whose name and value are on top of the stack. */
static void take(lua_State *L, dg_send_options *out, texts *t)
{
    const int value = lua_gettop(L), key = value - 1;
    if (lua_type(L, key) != LUA_TSTRING)
        dg_error_arg_type(L, key, "name of an option", "a string");
    if (dg_is_text(L, key, "tos")) {
        out->tos = byte_value(L, value, "options.tos", 0);
        out->set |= DG_SEND_TOS;
    } else if (dg_is_text(L, key, "ttl")) {
        out->ttl = byte_value(L, value, "options.ttl", 1);
        out->set |= DG_SEND_TTL;
    } else if (dg_is_text(L, key, "localAddress")) {
        t->source = dg_argument_address(L, value, "options.localAddress");
    } else if (dg_is_text(L, key, "interface")) {
        t->interface_name = dg_argument_address(L, value, "options.interface");
    } else {
        dg_error_raise(L, "TypeError", "ERR_INVALID_ARG_VALUE",
                       "Unknown option \"%s\" for a datagram; there are: interface, localAddress, tos, ttl",
                       lua_tostring(L, key));
    }
}

static int find_interface(const char *name, dg_send_options *out)
{
    out->interface_index = dg_interface_index(name);
    out->set |= DG_SEND_INTERFACE;
    return out->interface_index != 0 ? 0 : -ENODEV;
}

/* Stores the source and, where it has one, its zone. The wildcard leaves the choice to the kernel. Returns 0, or
 * -EINVAL where the interface is another one. */
static int store_source(const dg_address *source, dg_send_options *out)
{
    const unsigned zone = source->u.any.sa_family == AF_INET6 ? source->u.in6.sin6_scope_id : 0;
    if (dg_address_is_any(source))
        return 0;
    if (source->u.any.sa_family == AF_INET6) {
        out->source = source->u.in6.sin6_addr;
    } else {
        out->source.s6_addr[10] = out->source.s6_addr[11] = 0xff;
        memcpy(&out->source.s6_addr[12], &source->u.in.sin_addr, sizeof source->u.in.sin_addr);
    }
    out->set |= DG_SEND_SOURCE;
    if (zone == 0)
        return 0;
    if ((out->set & DG_SEND_INTERFACE) && out->interface_index != zone)
        return -EINVAL;
    out->interface_index = zone;
    out->set |= DG_SEND_INTERFACE;
    return 0;
}

static int parse_source(lua_State *L, const dg_socket *s, const char *text, dg_send_options *out, const char **advice)
{
    dg_address source;
    int status = dg_destination_parse(s, text, strlen(text), 0, &source);
    if (status == DG_NOT_A_LITERAL)
        dg_error_raise(L, "TypeError", "ERR_INVALID_IP_ADDRESS", "Invalid IP address for options.localAddress: %s",
                       text);
    *advice = dg_advice_for_text(status, s->family, text);
    if (status != 0)
        return status;
    *advice = "localAddress has the zone of another interface";
    return store_source(&source, out);
}

int dg_send_options_read(lua_State *L, const dg_socket *s, int index, dg_send_options *out, const char **advice)
{
    texts t = {NULL, NULL};
    int status = 0;
    memset(out, 0, sizeof *out);
    *advice = NULL;
    if (index == 0)
        return 0;
    if (s->family == AF_UNIX)
        dg_error_raise(L, "TypeError", "ERR_INVALID_ARG_VALUE", "A datagram of a unix_dgram socket has no options");
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        take(L, out, &t);
        lua_pop(L, 1);
    }
    if (t.interface_name != NULL)
        status = find_interface(t.interface_name, out);
    if (status != 0)
        *advice = "there is no such interface";
    else if (t.source != NULL)
        status = parse_source(L, s, t.source, out, advice);
    return status;
}

int dg_send_options_of_answer(lua_State *L, const dg_socket *s, int local, int interface_name, dg_route *route)
{
    dg_address source;
    size_t length;
    int status = 0;
    memset(&route->options, 0, sizeof route->options);
    if (s->family == AF_UNIX || lua_type(L, local) != LUA_TSTRING)
        return 0;
    const char *text = lua_tolstring(L, local, &length);
    status = strlen(text) == length ? dg_destination_parse(s, text, length, 0, &source) : -EINVAL;
    if (status != 0)
        return status == DG_NOT_A_LITERAL ? -EINVAL : status;
    if (!dg_address_is_host(&source))
        source.length = 0;
    if (lua_type(L, interface_name) == LUA_TSTRING &&
        (dg_address_is_link_local(&route->to) || (source.length != 0 && dg_address_is_link_local(&source))))
        status = find_interface(lua_tostring(L, interface_name), &route->options);
    if (status == 0 && source.length != 0)
        status = store_source(&source, &route->options);
    return status != 0 ? status : dg_route_fit(route, NULL);
}

/* Returns whether no interface has the source address. Binding another socket to it tells. */
static int is_foreign_source(const dg_send_options *options)
{
    dg_address source;
    int fd = options->set & DG_SEND_SOURCE ? dg_descriptor_open(AF_INET6) : -1;
    if (fd < 0)
        return 0;
    dg_address_any(&source, AF_INET6, 0);
    source.u.in6.sin6_addr = options->source;
    source.u.in6.sin6_scope_id = options->interface_index;
    int status = dg_descriptor_bind(fd, &source);
    dg_descriptor_close(fd);
    return status == -EADDRNOTAVAIL;
}

void dg_send_options_push_error(lua_State *L, const dg_socket *s, int error, const dg_route *route)
{
    const char *advice = NULL;
    if (error == -ENOTSUP)
        advice = "this system has no options for single datagrams";
    else if (is_foreign_source(&route->options))
        advice = "no interface of this machine has its localAddress";
    dg_error_push_advised(L, error, "send", route->to.length != 0 ? &route->to : s->peer.address, advice);
}

const char *dg_send_options_unfit(void)
{
    return "localAddress is of another family than the destination";
}
