/* SPDX-License-Identifier: MIT */
#include "reply.h"

#include <errno.h>
#include <string.h>

#include "../net/descriptor.h"
#include "../lua/advice.h"
#include "../lua/arguments.h"
#include "../lua/error.h"
#include "destination.h"
#include "send_options.h"
#include "send_queue.h"
#include "work.h"

enum { MESSAGE = 2, RINFO, CALLBACK, ADDRESS, PORT, LOCAL, INTERFACE };

/* Returns whether the socket is connected to a peer without a name. A connected Unix socket receives from its peer
 * only, so a sender without a name is that peer. With recvCredentials a peer gets a name when it sends. */
static int is_nameless_peer(dg_socket *s)
{
    char name[DG_ADDRESS_TEXT];
    dg_address now;
    if (s->family != AF_UNIX || s->peer.state != DG_CONNECTED || dg_address_format(s->peer.address, name) != 0)
        return 0;
    if (dg_descriptor_peer(s->fd, &now) == 0)
        dg_address_copy(s->peer.address, &now);
    return 1;
}

/* Parses the sender's address and port, which are on the stack. Returns 0 or a negative errno. */
static int find_sender(lua_State *L, dg_socket *s, dg_address *out)
{
    int64_t port = 0;
    size_t length = 0;
    const char *text = lua_type(L, ADDRESS) == LUA_TSTRING ? lua_tolstring(L, ADDRESS, &length) : NULL;
    if (is_nameless_peer(s) && text != NULL && length == 0) {
        dg_address_copy(out, s->peer.address);
        return 0;
    }
    if (length == 0)
        return -EDESTADDRREQ;
    if (s->family == AF_UNIX) /* a path ends at its first NUL, a name that begins with one does not (unix(7)) */
        return text[0] != '\0' && strlen(text) != length ? -EINVAL : dg_address_unix(out, text, length);
    if (strlen(text) != length || !dg_isinteger(L, PORT, &port) || port < 1 || port > 65535)
        return -EDESTADDRREQ;
    int status = dg_destination_parse(s, text, length, (unsigned)port, out);
    return status == DG_NOT_A_LITERAL ? -EINVAL : status;
}

/* Pushes the error for a sender that cannot be answered, with the address and port of the rinfo. The fault may be with
 * the local address. */
static void push_failure(lua_State *L, const dg_socket *s, int status, int local_failed)
{
    const char *text = lua_type(L, ADDRESS) == LUA_TSTRING ? lua_tostring(L, ADDRESS) : NULL;
    const char *advice = local_failed              ? "its localAddress and interface are none to answer from"
                         : status == -EDESTADDRREQ ? "the sender cannot be answered: it has port 0, or no name"
                         : status == -EISCONN      ? "the socket is connected to another peer"
                                                   : dg_advice_for_text(status, s->family, text != NULL ? text : "");
    int64_t port = 0;
    if (!dg_isinteger(L, PORT, &port) || port < 0 || port > 65535)
        port = 0;
    if (text == NULL)
        lua_pushliteral(L, "");
    else
        lua_pushvalue(L, ADDRESS);
    dg_error_push_system_text(L, status, "send", lua_gettop(L), (unsigned)port, advice);
}

/* socket:reply(msg, rinfo [, cb]) -> whether at most half of sendQueueLimit is used: to the sender of a message, by its
 * rinfo, from the address that it had sent to, where the rinfo has that. A sender that cannot be answered (port 0, no
 * name) is EDESTADDRREQ to cb or the `error` event; only a wrong msg, and a rinfo that is no table, raise. On a socket
 * that is connected to the sender it is a plain send. */
static int socket_reply(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    dg_payload payload;
    dg_route route;
    route.options.set = 0;
    dg_arguments_of_reply(L, &payload);
    lua_settop(L, CALLBACK);
    lua_getfield(L, RINFO, "address");
    lua_getfield(L, RINFO, "port");
    lua_getfield(L, RINFO, "localAddress");
    lua_getfield(L, RINFO, "interface");
    int callback = lua_isfunction(L, CALLBACK) ? CALLBACK : 0, status = find_sender(L, s, &route.to);
    int local_failed = 0;
    if (status == 0 && s->peer.state != DG_CONNECTED)
        local_failed = status = dg_send_options_of_answer(L, s, LOCAL, INTERFACE, &route);
    else if (status == 0 && !dg_address_same(&route.to, s->peer.address))
        status = -EISCONN;
    else if (status == 0)
        route.to.length = 0;
    if (status == 0)
        return dg_send_queue_answer(L, s, dg_send_queue_send(L, s, &payload, &route, callback));
    dg_send_queue_count_errors(s, 1);
    push_failure(L, s, status, local_failed);
    dg_work_fail(L, 1, callback, (lua_Integer)payload.length);
    return dg_send_queue_answer(L, s, dg_send_queue_has_room(s));
}

static const luaL_Reg methods[] = {{"reply", socket_reply}, {NULL, NULL}};

void dg_reply_open(lua_State *L)
{
    dg_socket_add(L, methods, NULL);
}
