/* SPDX-License-Identifier: MIT */
#include "send.h"

#include <errno.h>
#include <string.h>

#include "../lua/advice.h"
#include "../lua/arguments.h"
#include "../lua/error.h"
#include "destination.h"
#include "report.h"
#include "send_many.h"
#include "send_names.h"
#include "send_options.h"
#include "send_queue.h"
#include "watch.h"
#include "work.h"

/* Finds the destination that the arguments name; length 0: the peer. Returns what dg_address_parse does. */
static int find_destination(lua_State *L, const dg_socket *s, const dg_arguments *arguments, dg_address *out)
{
    size_t length;
    out->length = 0;
    if (arguments->to_peer)
        return 0;
    if (arguments->address == 0) {
        dg_address_loopback(out, s->family, arguments->port);
        return 0;
    }
    const char *text = lua_tolstring(L, arguments->address, &length);
    if (s->family == AF_UNIX)
        return dg_address_unix(out, text, length);
    const dg_inet *known = dg_destination_known(s, text, length, arguments->port);
    if (known == NULL)
        return dg_destination_parse(s, dg_argument_address(L, arguments->address, "address"), length, arguments->port,
                                    out);
    dg_inet_load(out, known);
    return 0;
}

/* Finds the destination, and reads the options. Returns what find_destination does; *advice is for the message of an
 * error. */
static int find_route(lua_State *L, const dg_socket *s, const dg_arguments *arguments, dg_route *out,
                      const char **advice)
{
    int unusable = 0;
    out->options.set = 0;
    if (arguments->options != 0)
        unusable = dg_send_options_read(L, s, arguments->options, &out->options, advice);
    int status = find_destination(L, s, arguments, &out->to);
    if (status < 0)
        *advice = dg_advice_for_text(status, s->family, lua_tostring(L, arguments->address));
    if (status < 0 || (status == 0 && out->options.set == 0) || unusable != 0)
        return status < 0 ? status : unusable;
    if (status != 0)
        return status;
    *advice = dg_send_options_unfit();
    return dg_route_fit(out, s->peer.address);
}

/* Reports `count` datagrams that cannot be sent so: the socket does not reach the literal, or the options are at
 * fault. */
static int fail_route(lua_State *L, dg_socket *s, const dg_arguments *arguments, const dg_route *route, int status,
                      const char *advice, size_t count, size_t value)
{
    dg_send_queue_count_errors(s, count);
    if (arguments->address != 0)
        dg_error_push_system_text(L, status, "send", arguments->address, arguments->port, advice);
    else
        dg_error_push_advised(L, status, "send", arguments->to_peer ? s->peer.address : &route->to, advice);
    dg_work_fail(L, 1, arguments->callback, (lua_Integer)value);
    return dg_send_queue_has_room(s);
}

static int send_checked(lua_State *L, dg_socket *s, const dg_arguments *arguments)
{
    dg_route route;
    const char *advice = NULL;
    int status = find_route(L, s, arguments, &route, &advice), has_room;
    size_t length = arguments->payload.length;
    if (status == 0) {
        has_room = dg_send_queue_send(L, s, &arguments->payload, &route, arguments->callback);
    } else if (status == DG_NOT_A_LITERAL) {
        dg_payloads payloads = {0, 1, length};
        if (length <= UINT16_MAX) { /* a longer one is refused, and its parts need not be put together */
            dg_payload_push(L, &arguments->payload);
            payloads = (dg_payloads){lua_gettop(L), 1, dg_rawlen(L, -1)};
        }
        has_room = dg_send_names(L, s, arguments, &route.options, &payloads, length);
    } else {
        has_room = fail_route(L, s, arguments, &route, status, advice, 1, length);
    }
    return dg_send_queue_answer(L, s, has_room);
}

static enum dg_form form_of(const dg_socket *s)
{
    if (s->peer.state == DG_CONNECTED)
        return DG_FORM_PEER;
    return s->family == AF_UNIX ? DG_FORM_PATH : DG_FORM_PORT;
}

/* Sends a string to a literal in the cache, or to the peer, with the slow part skipped: while the queue has credit, the
 * string is only copied. Returns what dg_send_queue_put does, or -1 for anything else, having changed nothing. */
static int append_within_credit(lua_State *L, dg_socket *s)
{
    static const dg_inet peer; /* length 0 */
    const dg_inet *to = &peer;
    dg_arguments arguments;
    size_t length;
    if (s->tx.queue.credit_count == 0)
        return -1;
    if (s->peer.state == DG_CONNECTED) {
        if (!dg_arguments_plain_to_peer(L, &arguments))
            return -1;
    } else {
        if (!dg_arguments_plain(L, &arguments))
            return -1;
        const char *text = lua_tolstring(L, arguments.address, &length);
        to = dg_destination_known(s, text, length, arguments.port);
        if (to == NULL)
            return -1;
    }
    return dg_send_queue_append(L, s, &arguments.payload, to, arguments.callback);
}

/* socket:send(msg [, offset, length], port [, address] [, options] [, cb]) -> whether at most half of sendQueueLimit is
 * used. Connected: without port and address. unix_dgram: with a path in their place, without options. sendmsg(2) */
static int socket_send(lua_State *L)
{
    dg_arguments arguments;
    dg_socket *s = dg_socket_running(L);
    int has_room = append_within_credit(L, s);
    if (has_room >= 0)
        return dg_send_queue_answer(L, s, has_room);
    if (s->peer.state == DG_CONNECTING && lua_gettop(L) <= 3 && !lua_isnumber(L, 3))
        return dg_error_raise(
            L, "RangeError", "ERR_SOCKET_BAD_PORT",
            "Port should be > 0 and < 65536. The socket is not connected yet: its peer's name is being "
            "looked up, wait for connect");
    dg_arguments_of_send(L, form_of(s), &arguments);
    return send_checked(L, s, &arguments);
}

/* socket:sendto(msg, offset, length, port, address [, cb]): the old form, in which only cb may be absent. */
static int socket_sendto(lua_State *L)
{
    dg_arguments arguments;
    dg_socket *s = dg_socket_running(L);
    dg_arguments_of_sendto(L, form_of(s), &arguments);
    return send_checked(L, s, &arguments);
}

/* socket:sendMany(list [, port] [, address] [, options] [, cb]) -> whether at most half of sendQueueLimit is used. Each
 * string of the list is a datagram to the one destination; cb(err, count) comes once, with the first error and how many
 * were sent. */
static int socket_send_many(lua_State *L)
{
    dg_arguments arguments;
    dg_socket *s = dg_socket_running(L);
    dg_route route;
    const char *advice = NULL;
    int has_room = 1;
    dg_arguments_of_send_many(L, form_of(s), &arguments);
    int status = find_route(L, s, &arguments, &route, &advice);
    if (status == 0 || arguments.payload.parts == 0) {
        has_room = dg_send_many(L, s, 2, &route, arguments.callback);
    } else if (status == DG_NOT_A_LITERAL) {
        dg_payloads payloads = dg_send_names_copy(L);
        has_room = dg_send_names(L, s, &arguments, &route.options, &payloads, 0);
    } else {
        has_room = fail_route(L, s, &arguments, &route, status, advice, dg_rawlen(L, 2), 0);
    }
    return dg_send_queue_answer(L, s, has_room);
}

static const luaL_Reg methods[] = {
    {"send", socket_send},
    {"sendto", socket_sendto},
    {"sendMany", socket_send_many},
    {NULL, NULL},
};

void dg_send_open(lua_State *L)
{
    dg_socket_add(L, methods, NULL);
}
