/* SPDX-License-Identifier: MIT */
#include "send.h"

#include <errno.h>
#include <string.h>

#include "advice.h"
#include "error.h"
#include "list.h"
#include "outbox.h"
#include "poll.h"
#include "report.h"
#include "send_arguments.h"
#include "tick.h"

/* Parses a literal that is not at hand. Returns what dg_address_parse does. */
static int parse_destination(lua_State *L, const dg_socket *s, const dg_arguments *arguments, dg_address *out)
{
    const char *text = dg_argument_address(L, arguments->address, "address");
    int maps = dg_socket_maps(s), status = dg_address_parse(out, s->family, maps, text, arguments->port);
    if (s->hub->memo == NULL)
        s->hub->memo = dg_memo_new();
    if (status == 0)
        dg_memo_keep(s->hub->memo, out, s->family, maps, text, strlen(text), arguments->port);
    return status;
}

/* The flush of what goes within the call. Returns what dg_outbox_put would if the kernel had taken it at once. */
static int go_now(lua_State *L, dg_socket *s, int below)
{
    int waits = dg_queue_count(&s->queue) != 0;
    dg_outbox_flush(L, 1, s);
    return below || (waits && dg_outbox_has_room(s));
}

/* Puts the datagram, and hands it to the kernel where it may go now. Returns what dg_outbox_put does. */
static int put(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_address *to, int callback)
{
    const dg_reporting reporting = {callback, NULL};
    int now = dg_outbox_goes_now(L, s), below = dg_outbox_put(L, s, payload, to, &reporting);
    return now ? go_now(L, s, below) : below;
}

static int put_list(lua_State *L, dg_socket *s, int list, const dg_address *to, int callback)
{
    int now = dg_outbox_goes_now(L, s), below = dg_list_put(L, s, list, to, callback);
    return now ? go_now(L, s, below) : below;
}

/* What the methods that send return. */
static inline int answer(lua_State *L, dg_socket *s, int below)
{
    if (!below)
        dg_outbox_owe_drain(L, 1, s);
    lua_pushboolean(L, below);
    return 1;
}

/* A literal that was parsed lately. NULL for all others. */
static inline const dg_inet *known_destination(const dg_socket *s, const char *text, size_t length, unsigned port)
{
    return dg_memo_find(s->hub->memo, s->family, dg_socket_maps(s), text, length, port);
}

/* Finds out where the arguments say that the datagram goes; length 0: to the peer. Returns what dg_address_parse does.
 */
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
    const dg_inet *known = known_destination(s, text, length, arguments->port);
    if (known == NULL)
        return parse_destination(L, s, arguments, out);
    dg_inet_load(out, known);
    return 0;
}

/* What is sent: the string or list at an index as `count` datagrams of `bytes` together. */
typedef struct load {
    int index;
    size_t count;
    uint64_t bytes; /* of a list more than a size_t may count */
} load;

static void push_or_nil(lua_State *L, int index)
{
    if (index != 0)
        lua_pushvalue(L, index);
    else
        lua_pushnil(L);
}

/* Arguments: those of the hook, the socket first. */
static int start_look_up(lua_State *L)
{
    dg_poll_update(L, 1, lua_touserdata(L, 1));
    dg_hub_get(L, DG_STORE_HOOKS);
    lua_getfield(L, -1, "sendToName");
    lua_insert(L, 1);
    lua_pop(L, 1);
    lua_call(L, lua_gettop(L) - 1, 2);
    return 2;
}

/* A name: the Lua side looks it up, and comes back through core.sendResolved with what is at load->index. */
static void hold(lua_State *L, dg_socket *s, const dg_arguments *arguments, const load *held)
{
    lua_pushcfunction(L, start_look_up);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, held->index);
    lua_pushinteger(L, (lua_Integer)arguments->port);
    lua_pushvalue(L, arguments->address);
    push_or_nil(L, arguments->callback);
    s->held += (unsigned)held->count;
    s->held_bytes += (size_t)held->bytes;
    dg_queue_disallow(&s->queue); /* what is held counts against the limit */
    if (lua_pcall(L, 5, 2, 0) == 0) {
        if (lua_toboolean(L, -2)) /* it was answered, and is counted no more, but nobody could be told */
            lua_error(L);
        lua_pop(L, 2);
        return;
    }
    s->held -= (unsigned)held->count;
    s->held_bytes -= (size_t)held->bytes;
    dg_poll_update(L, 1, s);
    lua_error(L);
}

/* Binds first if need be, then lets the name be looked up. Returns whether there is room for more. */
DG_COLD static int send_to_name(lua_State *L, dg_socket *s, const dg_arguments *arguments, const load *held,
                                size_t value)
{
    int status = dg_outbox_admit(L, s, held->count == 1 ? (size_t)held->bytes : 0, NULL);
    if (status == 0 && dg_outbox_is_over(s, held->count, held->bytes))
        status = -ENOBUFS;
    if (s->fd < 0) /* a finalizer has closed it meanwhile: a look-up would come too late */
        status = -ECANCELED;
    if (status != 0) {
        s->transmitter.errors += held->count - 1; /* a list is refused as a whole; the last one is counted there */
        return dg_outbox_fail(L, s, status, NULL, arguments->callback, value);
    }
    hold(L, s, arguments, held);
    return dg_outbox_has_room(s);
}

/* The destination of `count` datagrams is a literal that will not do. */
DG_COLD static int fail_destination(lua_State *L, dg_socket *s, const dg_arguments *arguments, int status, size_t count,
                                    size_t value)
{
    s->transmitter.errors += count;
    dg_error_push_system_text(L, status, "send", arguments->address, arguments->port,
                              dg_advice_for_text(status, s->family, lua_tostring(L, arguments->address)));
    dg_tick_fail(L, 1, arguments->callback, (lua_Integer)value);
    return dg_outbox_has_room(s);
}

DG_HOT static int send_checked(lua_State *L, dg_socket *s, const dg_arguments *arguments)
{
    dg_address to;
    int status = find_destination(L, s, arguments, &to), below;
    size_t length = arguments->payload.length;
    if (status == 0) {
        below = put(L, s, &arguments->payload, &to, arguments->callback);
    } else if (status == DG_NOT_A_LITERAL) {
        load held = {0, 1, length};
        if (length <= UINT16_MAX) { /* what is longer is refused: there may be no memory to put its parts together */
            dg_payload_push(L, &arguments->payload);
            held = (load){lua_gettop(L), 1, dg_rawlen(L, -1)};
        }
        below = send_to_name(L, s, arguments, &held, length);
    } else {
        below = fail_destination(L, s, arguments, status, 1, length);
    }
    return answer(L, s, below);
}

static enum dg_form form_of(const dg_socket *s)
{
    if (s->connected)
        return DG_FORM_PEER;
    return s->family == AF_UNIX ? DG_FORM_PATH : DG_FORM_PORT;
}

/* All but the first two strings of a batch to a literal, or to the peer, go this way: these say how much more the
 * queue may be given without a look at anything else. Returns what dg_outbox_put does, or -1 for all else. */
static int put_plain(lua_State *L, dg_socket *s)
{
    static const dg_inet peer; /* length 0 */
    const dg_inet *to = &peer;
    dg_arguments arguments;
    size_t length;
    if (s->queue.allowed_count == 0)
        return -1;
    if (s->connected) {
        if (!dg_arguments_plain_to_peer(L, &arguments))
            return -1;
    } else {
        if (!dg_arguments_plain(L, &arguments))
            return -1;
        const char *text = lua_tolstring(L, arguments.address, &length);
        to = known_destination(s, text, length, arguments.port);
        if (to == NULL)
            return -1;
    }
    return dg_outbox_put_plain(L, s, &arguments.payload, to, arguments.callback);
}

/* socket:send(msg [, offset, length], port [, address] [, cb]) -> whether the queue is below its mark.
 * Connected: without port and address. unix_dgram: with a path in their place. sendmsg(2) */
DG_HOT static int socket_send(lua_State *L)
{
    dg_arguments arguments;
    dg_socket *s = dg_socket_running(L);
    int below = put_plain(L, s);
    if (below >= 0)
        return answer(L, s, below);
    if (s->connecting && lua_gettop(L) <= 3 && !lua_isnumber(L, 3))
        return dg_error_raise(
            L, "RangeError", "ERR_SOCKET_BAD_PORT",
            "Port should be > 0 and < 65536. The socket is not connected yet: its peer's name is being "
            "looked up, wait for connect");
    dg_arguments_of_send(L, form_of(s), &arguments);
    return send_checked(L, s, &arguments);
}

/* socket:sendto(msg, offset, length, port, address [, cb]): the old form, all of it required. */
static int socket_sendto(lua_State *L)
{
    dg_arguments arguments;
    dg_socket *s = dg_socket_running(L);
    dg_arguments_of_sendto(L, form_of(s), &arguments);
    return send_checked(L, s, &arguments);
}

/* Reads the sender in the rinfo at index 3, which came off the wire: whatever is in it, nothing raises. Returns 0, or why
 * nothing can be sent there. */
static int find_sender(lua_State *L, const dg_socket *s, dg_address *out)
{
    int64_t port = 0;
    size_t length = 0;
    int status;
    lua_getfield(L, 3, "address");
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
    lua_getfield(L, 3, "port");
    int named = text != NULL && length != 0;
    if (s->family != AF_UNIX)
        named = named && strlen(text) == length && dg_isinteger(L, -1, &port) && port >= 1 && port <= 65535;
    if (!named)
        status = -EDESTADDRREQ;
    else if (s->family == AF_UNIX)
        status = dg_address_unix(out, text, length);
    else
        status = dg_address_parse(out, s->family, dg_socket_maps(s), text, (unsigned)port);
    lua_pop(L, 2);
    return status == DG_NOT_A_LITERAL ? -EINVAL : status;
}

/* socket:reply(msg, rinfo [, cb]) -> whether the queue is below its mark: to the sender of a message, by its rinfo. A
 * sender that cannot be answered (port 0, no name) is EDESTADDRREQ to cb or the `error` event; only a wrong msg, and a
 * rinfo that is no table, raise. */
static int socket_reply(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    dg_payload payload;
    dg_address to;
    dg_arguments_of_reply(L, &payload);
    int callback = lua_isfunction(L, 4) ? 4 : 0, status = find_sender(L, s, &to);
    if (status == 0 && s->connected) {
        if (dg_address_same(&to, s->peer))
            to.length = 0;
        else
            status = -EISCONN;
    }
    if (status == 0)
        return answer(L, s, put(L, s, &payload, &to, callback));
    s->transmitter.errors++;
    dg_error_push_system(L, status, "send", status == -EISCONN ? &to : NULL);
    dg_tick_fail(L, 1, callback, (lua_Integer)payload.length);
    return answer(L, s, dg_outbox_has_room(s));
}

/* Pushes a copy of the list at index 2, which its owner may change while a name is looked up: a finalizer may already.
 */
static load push_copy(lua_State *L)
{
    load copy = {0, dg_rawlen(L, 2), 0};
    lua_createtable(L, (int)copy.count, 0);
    copy.index = lua_gettop(L);
    for (size_t i = 1; i <= copy.count; i++) {
        if (dg_rawgeti(L, 2, i) != LUA_TSTRING) {
            lua_pop(L, 1);
            lua_pushliteral(L, "");
        }
        copy.bytes += dg_rawlen(L, -1);
        lua_rawseti(L, copy.index, (int)i);
    }
    return copy;
}

/* socket:sendMany(list [, port] [, address] [, cb]) -> whether the queue is below its mark. Each string of the list is
 * a datagram to the one destination; cb(err, count) comes once, with the first error and how many went. */
static int socket_send_many(lua_State *L)
{
    dg_arguments arguments;
    dg_socket *s = dg_socket_running(L);
    dg_address to;
    int below = 1;
    dg_arguments_of_send_many(L, form_of(s), &arguments);
    int status = find_destination(L, s, &arguments, &to);
    if (status == 0 || arguments.payload.parts == 0) {
        below = put_list(L, s, 2, &to, arguments.callback);
    } else if (status == DG_NOT_A_LITERAL) {
        load held = push_copy(L);
        below = send_to_name(L, s, &arguments, &held, 0);
    } else {
        below = fail_destination(L, s, &arguments, status, dg_rawlen(L, 2), 0);
    }
    return answer(L, s, below);
}

/* socket:flush() -> whether all of the queue has gone to the kernel, which happens now and not on the tick. */
static int socket_flush(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    dg_error_surplus(L, 1);
    dg_outbox_flush_all(L, 1, s);
    if (dg_report_pending(s) != 0)
        dg_tick_due(L, 1, s, DG_DUE_REPORT);
    lua_pushboolean(L, dg_outbox_waiting(s) == 0);
    return 1;
}

/* socket:discard() -> how many datagrams: gives up what waits to be sent, look-ups included. Each callback gets
 * ECANCELED; those without one are counted in sendErrors. `drain` comes. */
static int socket_discard(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    dg_error_surplus(L, 1);
    size_t held = s->held;
    if (held != 0) {
        dg_hub_get(L, DG_STORE_HOOKS);
        lua_getfield(L, -1, "cancelHeld");
        lua_pushvalue(L, 1);
        lua_call(L, 1, 0); /* comes back through core.sendResolved */
    }
    size_t count = held - s->held + dg_outbox_give_up(L, 1, s, -ECANCELED);
    if (s->life == DG_CLOSING)
        dg_tick_due(L, 1, s, DG_DUE_CLOSE);
    dg_poll_update(L, 1, s);
    lua_pushinteger(L, (lua_Integer)count);
    return 1;
}

/* The string or list at index 2, as it was held. */
static load held_load(lua_State *L)
{
    load held = {2, 1, dg_rawlen(L, 2)};
    if (!lua_istable(L, 2))
        return held;
    held.count = dg_rawlen(L, 2);
    held.bytes = 0;
    for (size_t i = 1; i <= held.count; i++) {
        lua_rawgeti(L, 2, (int)i);
        held.bytes += dg_rawlen(L, -1);
        lua_pop(L, 1);
    }
    return held;
}

static void send_held(lua_State *L, dg_socket *s, const dg_address *to)
{
    dg_payload payload = {2, 0, NULL, 0};
    int callback = lua_isfunction(L, 5) ? 5 : 0;
    if (lua_istable(L, 2)) {
        put_list(L, s, 2, to, callback);
        return;
    }
    payload.text = lua_tolstring(L, 2, &payload.length);
    put(L, s, &payload, to, callback);
}

/* Tells that what was held was given up: who has a callback. */
static void cancel_held(lua_State *L, dg_socket *s, const load *held)
{
    s->transmitter.errors += held->count;
    if (!lua_isfunction(L, 5))
        return;
    dg_socket_push_error(L, s, -ECANCELED, "send", NULL);
    dg_tick_fail(L, 1, 5, lua_istable(L, 2) ? 0 : (lua_Integer)held->bytes);
}

/* core.sendResolved(socket, msg | list, port, address, callback): a look-up's answer for what was held.
 * address nil: it failed with the error object in the sixth argument; false: it was given up. The socket may be closing
 * by now. */
static int core_send_resolved(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    dg_address to;
    lua_settop(L, 6);
    load held = held_load(L);
    s->held -= (unsigned)held.count;
    s->held_bytes -= (size_t)held.bytes;
    if (s->life == DG_CLOSED) /* finalized: the state is being closed */
        return 0;
    if (lua_isboolean(L, 4)) {
        cancel_held(L, s, &held);
    } else if (lua_isnil(L, 4)) {
        s->transmitter.errors += held.count;
        lua_pushvalue(L, 6);
        dg_tick_fail(L, 1, 5, lua_istable(L, 2) ? 0 : (lua_Integer)held.bytes);
    } else {
        /* the look-up has checked that it is a literal for this socket */
        dg_address_parse(&to, s->family, dg_socket_maps(s), luaL_checkstring(L, 4), (unsigned)luaL_checkinteger(L, 3));
        send_held(L, s, &to);
    }
    dg_outbox_tell_drain(L, 1, s);
    if (s->life == DG_CLOSING)
        dg_tick_due(L, 1, s, DG_DUE_FLUSH | DG_DUE_CLOSE);
    dg_poll_update(L, 1, s);
    return 0;
}

/* core.cancelQueue(socket): the bind that the queued datagrams waited for failed; each fails with ECANCELED. */
static int core_cancel_queue(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    s->transmitter.errors += dg_queue_count(&s->queue);
    while (dg_queue_count(&s->queue) != 0)
        dg_queue_failed(&s->queue, -ECANCELED);
    dg_outbox_tell_drain(L, 1, s);
    dg_tick_due(L, 1, s, DG_DUE_REPORT);
    return 0;
}

/* socket:getSendQueueSize(): bytes accepted and not yet handed to the kernel. */
static int socket_get_send_queue_size(lua_State *L)
{
    const dg_socket *s = dg_socket_check(L);
    dg_error_surplus(L, 1);
    lua_pushinteger(L, (lua_Integer)(dg_queue_bytes(&s->queue) + s->held_bytes + dg_lanes_bytes(s)));
    return 1;
}

/* socket:getSendQueueCount(): datagrams likewise. */
static int socket_get_send_queue_count(lua_State *L)
{
    const dg_socket *s = dg_socket_check(L);
    dg_error_surplus(L, 1);
    lua_pushinteger(L, (lua_Integer)(dg_outbox_waiting(s) - s->queue.refused));
    return 1;
}

static const luaL_Reg methods[] = {
    {"send", socket_send},
    {"sendto", socket_sendto},
    {"sendMany", socket_send_many},
    {"flush", socket_flush},
    {"discard", socket_discard},
    {"reply", socket_reply},
    {"getSendQueueSize", socket_get_send_queue_size},
    {"getSendQueueCount", socket_get_send_queue_count},
    {NULL, NULL},
};

static const luaL_Reg core[] = {{"sendResolved", core_send_resolved}, {"cancelQueue", core_cancel_queue}, {NULL, NULL}};

void dg_send_open(lua_State *L)
{
    dg_socket_add(L, methods, core);
}
