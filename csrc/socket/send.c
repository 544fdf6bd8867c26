/* SPDX-License-Identifier: MIT */
#include "send.h"

#include <errno.h>
#include <string.h>

#include "../lua/advice.h"
#include "../lua/arguments.h"
#include "../lua/error.h"
#include "close.h"
#include "report.h"
#include "send_many.h"
#include "send_queue.h"
#include "watch.h"
#include "work.h"

/* Parses a literal that is not in the cache, and puts it there. Returns what dg_address_parse does. */
static int parse_destination(lua_State *L, const dg_socket *s, const dg_arguments *arguments, dg_address *out)
{
    const char *text = dg_argument_address(L, arguments->address, "address");
    int maps = dg_socket_maps(s), status = dg_address_parse(out, s->family, maps, text, arguments->port);
    if (s->state->addresses == NULL)
        s->state->addresses = dg_cache_new();
    if (status == 0)
        dg_cache_keep(s->state->addresses, out, s->family, maps, text, strlen(text), arguments->port);
    return status;
}

static int put_list(lua_State *L, dg_socket *s, int list, const dg_address *to, int callback)
{
    int now = dg_send_queue_goes_now(L, s), has_room = dg_send_many_put(L, s, list, to, callback);
    return now ? dg_send_queue_go_now(L, s, has_room) : has_room;
}

/* Returns the address of a literal that is in the cache, or NULL. */
static inline const dg_inet *known_destination(const dg_socket *s, const char *text, size_t length, unsigned port)
{
    return dg_cache_find(s->state->addresses, s->family, dg_socket_maps(s), text, length, port);
}

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
    const dg_inet *known = known_destination(s, text, length, arguments->port);
    if (known == NULL)
        return parse_destination(L, s, arguments, out);
    dg_inet_load(out, known);
    return 0;
}

/* What waits for a look-up: the string or list at an index, which is `count` datagrams of `bytes` together. */
typedef struct payload_set {
    int index;
    size_t count;
    uint64_t bytes; /* those of a list may be more than a size_t holds */
} payload_set;

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
    dg_watch_update(L, 1, lua_touserdata(L, 1));
    dg_registry_get(L, DG_REGISTRY_HOOKS);
    lua_getfield(L, -1, "sendToName");
    lua_insert(L, 1);
    lua_pop(L, 1);
    lua_call(L, lua_gettop(L) - 1, 0);
    return 0;
}

/* Has the name looked up. lookup.lua calls core.sendResolved with the answer and what is at payloads->index. */
static void await_lookup(lua_State *L, dg_socket *s, const dg_arguments *arguments, const payload_set *payloads)
{
    lua_pushcfunction(L, start_look_up);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, payloads->index);
    lua_pushinteger(L, (lua_Integer)arguments->port);
    lua_pushvalue(L, arguments->address);
    push_or_nil(L, arguments->callback);
    s->tx.awaiting_lookup += (unsigned)payloads->count;
    s->tx.awaiting_bytes += (size_t)payloads->bytes;
    dg_queue_revoke(&s->tx.queue); /* what waits for the look-up counts against the limit */
    if (lua_pcall(L, 5, 0, 0) == 0)
        return;
    s->tx.awaiting_lookup -= (unsigned)payloads->count;
    s->tx.awaiting_bytes -= (size_t)payloads->bytes;
    dg_watch_update(L, 1, s);
    lua_error(L);
}

/* Binds the socket if it is unbound, then has the name looked up. Returns what dg_send_queue_put does. */
static int send_to_name(lua_State *L, dg_socket *s, const dg_arguments *arguments, const payload_set *payloads,
                        size_t value)
{
    int status = dg_send_queue_admit(L, s, payloads->count == 1 ? (size_t)payloads->bytes : 0, NULL);
    if (status == 0 && dg_send_queue_is_over(s, payloads->count, payloads->bytes))
        status = -ENOBUFS;
    if (s->fd < 0) /* a finalizer has closed the socket meanwhile */
        status = -ECANCELED;
    if (status != 0) {
        s->tx.transmitter.errors +=
            payloads->count - 1; /* a list is refused as a whole; the last one is counted there */
        return dg_send_queue_fail(L, s, status, NULL, arguments->callback, value);
    }
    await_lookup(L, s, arguments, payloads);
    return dg_send_queue_has_room(s);
}

/* Reports `count` datagrams whose destination is a literal that the socket cannot send to. */
static int fail_destination(lua_State *L, dg_socket *s, const dg_arguments *arguments, int status, size_t count,
                            size_t value)
{
    s->tx.transmitter.errors += count;
    dg_error_push_system_text(L, status, "send", arguments->address, arguments->port,
                              dg_advice_for_text(status, s->family, lua_tostring(L, arguments->address)));
    dg_work_fail(L, 1, arguments->callback, (lua_Integer)value);
    return dg_send_queue_has_room(s);
}

static int send_checked(lua_State *L, dg_socket *s, const dg_arguments *arguments)
{
    dg_address to;
    int status = find_destination(L, s, arguments, &to), has_room;
    size_t length = arguments->payload.length;
    if (status == 0) {
        has_room = dg_send_queue_send(L, s, &arguments->payload, &to, arguments->callback);
    } else if (status == DG_NOT_A_LITERAL) {
        payload_set payloads = {0, 1, length};
        if (length <=
            UINT16_MAX) { /* longer ones are refused, and there may be no memory to put their parts together */
            dg_payload_push(L, &arguments->payload);
            payloads = (payload_set){lua_gettop(L), 1, dg_rawlen(L, -1)};
        }
        has_room = send_to_name(L, s, arguments, &payloads, length);
    } else {
        has_room = fail_destination(L, s, arguments, status, 1, length);
    }
    return dg_send_queue_answer(L, s, has_room);
}

static enum dg_form form_of(const dg_socket *s)
{
    if (s->peer.state == DG_CONNECTED)
        return DG_FORM_PEER;
    return s->family == AF_UNIX ? DG_FORM_PATH : DG_FORM_PORT;
}

/* Sends a string to a literal in the cache, or to the peer, with the slow part skipped: it is only copied, while the
 * queue has credit. Returns what dg_send_queue_put does, or -1 for anything else, having changed nothing. */
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
        to = known_destination(s, text, length, arguments.port);
        if (to == NULL)
            return -1;
    }
    return dg_send_queue_append(L, s, &arguments.payload, to, arguments.callback);
}

/* socket:send(msg [, offset, length], port [, address] [, cb]) -> whether less than half of sendQueueLimit waits.
 * Connected: without port and address. unix_dgram: with a path in their place. sendmsg(2) */
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

/* Pushes a copy of the list at index 2, because the program may change the list while a name is looked up. A finalizer
 * may change it even here. */
static payload_set push_copy(lua_State *L)
{
    payload_set copy = {0, dg_rawlen(L, 2), 0};
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

/* socket:sendMany(list [, port] [, address] [, cb]) -> whether less than half of sendQueueLimit waits. Each string of
 * the list is a datagram to the one destination; cb(err, count) comes once, with the first error and how many went. */
static int socket_send_many(lua_State *L)
{
    dg_arguments arguments;
    dg_socket *s = dg_socket_running(L);
    dg_address to;
    int has_room = 1;
    dg_arguments_of_send_many(L, form_of(s), &arguments);
    int status = find_destination(L, s, &arguments, &to);
    if (status == 0 || arguments.payload.parts == 0) {
        has_room = put_list(L, s, 2, &to, arguments.callback);
    } else if (status == DG_NOT_A_LITERAL) {
        payload_set payloads = push_copy(L);
        has_room = send_to_name(L, s, &arguments, &payloads, 0);
    } else {
        has_room = fail_destination(L, s, &arguments, status, dg_rawlen(L, 2), 0);
    }
    return dg_send_queue_answer(L, s, has_room);
}

/* socket:flush() -> whether all of the queue has gone to the kernel. It goes now, and not in the idle callback. */
static int socket_flush(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    dg_error_surplus(L, 1);
    dg_send_queue_flush_all(L, 1, s);
    if (dg_report_pending(s) != 0)
        dg_work_add(L, 1, s, DG_WORK_REPORT);
    lua_pushboolean(L, dg_send_queue_waiting(s) == 0);
    return 1;
}

/* socket:discard() -> how many datagrams: gives up what waits to be sent, look-ups included. Each callback gets
 * ECANCELED; those without one are counted in sendErrors. `drain` comes. */
static int socket_discard(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    dg_error_surplus(L, 1);
    size_t lookups = s->tx.awaiting_lookup;
    if (lookups != 0) {
        dg_registry_get(L, DG_REGISTRY_HOOKS);
        lua_getfield(L, -1, "cancelLookups");
        lua_pushvalue(L, 1);
        lua_call(L, 1, 0); /* calls core.sendResolved for each */
    }
    size_t count = lookups - s->tx.awaiting_lookup + dg_send_queue_give_up(L, 1, s, -ECANCELED, 1);
    if (s->life == DG_CLOSING) {
        dg_work_add(L, 1, s, DG_WORK_CLOSE);
        dg_close_finish(L, 1, s); /* nothing waits now, so the descriptor is closed within the call */
    }
    dg_watch_update(L, 1, s);
    lua_pushinteger(L, (lua_Integer)count);
    return 1;
}

/* Returns the payloads of the string or list at index 2, counted as before the look-up. */
static payload_set stored_payloads(lua_State *L)
{
    payload_set payloads = {2, 1, dg_rawlen(L, 2)};
    if (!lua_istable(L, 2))
        return payloads;
    payloads.count = dg_rawlen(L, 2);
    payloads.bytes = 0;
    for (size_t i = 1; i <= payloads.count; i++) {
        lua_rawgeti(L, 2, (int)i);
        payloads.bytes += dg_rawlen(L, -1);
        lua_pop(L, 1);
    }
    return payloads;
}

static void send_to_answer(lua_State *L, dg_socket *s, const dg_address *to)
{
    dg_payload payload = {2, 0, NULL, 0};
    int callback = lua_isfunction(L, 5) ? 5 : 0;
    if (lua_istable(L, 2)) {
        put_list(L, s, 2, to, callback);
        return;
    }
    payload.text = lua_tolstring(L, 2, &payload.length);
    dg_send_queue_send(L, s, &payload, to, callback);
}

/* Reports payloads that were given up while the name was looked up, if there is a callback. */
static void report_cancelled(lua_State *L, dg_socket *s, const payload_set *payloads)
{
    s->tx.transmitter.errors += payloads->count;
    if (!lua_isfunction(L, 5))
        return;
    dg_socket_push_error(L, s, -ECANCELED, "send", NULL);
    dg_work_fail(L, 1, 5, lua_istable(L, 2) ? 0 : (lua_Integer)payloads->bytes);
}

/* core.sendResolved(socket, msg | list, port, address, callback): sends what has waited for a look-up. address nil: it
 * failed, with the error object in the sixth argument; false: it was given up. The socket may be closing by now. */
static int core_send_resolved(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    dg_address to;
    lua_settop(L, 6);
    payload_set payloads = stored_payloads(L);
    s->tx.awaiting_lookup -= (unsigned)payloads.count;
    s->tx.awaiting_bytes -= (size_t)payloads.bytes;
    if (s->life == DG_CLOSED) /* the socket was finalized, because the Lua state is being closed */
        return 0;
    if (lua_isboolean(L, 4)) {
        report_cancelled(L, s, &payloads);
    } else if (lua_isnil(L, 4)) {
        s->tx.transmitter.errors += payloads.count;
        lua_pushvalue(L, 6);
        dg_work_fail(L, 1, 5, lua_istable(L, 2) ? 0 : (lua_Integer)payloads.bytes);
    } else {
        /* lookup.lua has checked that it is a literal for this socket */
        dg_address_parse(&to, s->family, dg_socket_maps(s), luaL_checkstring(L, 4), (unsigned)luaL_checkinteger(L, 3));
        send_to_answer(L, s, &to);
    }
    dg_send_queue_emit_drain(L, 1, s);
    if (s->life == DG_CLOSING)
        dg_work_add(L, 1, s, DG_WORK_FLUSH | DG_WORK_CLOSE);
    dg_watch_update(L, 1, s);
    return 0;
}

/* core.cancelQueue(socket): the bind that the queued datagrams waited for failed, so each fails with ECANCELED. */
static int core_cancel_queue(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    s->tx.transmitter.errors += dg_queue_count(&s->tx.queue);
    while (dg_queue_count(&s->tx.queue) != 0)
        dg_queue_failed(&s->tx.queue, -ECANCELED);
    dg_send_queue_emit_drain(L, 1, s);
    dg_work_add(L, 1, s, DG_WORK_REPORT);
    return 0;
}

/* socket:getSendQueueSize(): bytes that are accepted and not yet handed to the kernel. */
static int socket_get_send_queue_size(lua_State *L)
{
    const dg_socket *s = dg_socket_check(L);
    dg_error_surplus(L, 1);
    lua_pushinteger(L, (lua_Integer)(dg_queue_bytes(&s->tx.queue) + s->tx.awaiting_bytes + dg_lanes_bytes(s)));
    return 1;
}

/* socket:getSendQueueCount(): datagrams likewise. */
static int socket_get_send_queue_count(lua_State *L)
{
    const dg_socket *s = dg_socket_check(L);
    dg_error_surplus(L, 1);
    lua_pushinteger(L, (lua_Integer)(dg_send_queue_waiting(s) - s->tx.queue.refused));
    return 1;
}

static const luaL_Reg methods[] = {
    {"send", socket_send},
    {"sendto", socket_sendto},
    {"sendMany", socket_send_many},
    {"flush", socket_flush},
    {"discard", socket_discard},
    {"getSendQueueSize", socket_get_send_queue_size},
    {"getSendQueueCount", socket_get_send_queue_count},
    {NULL, NULL},
};

static const luaL_Reg core[] = {{"sendResolved", core_send_resolved}, {"cancelQueue", core_cancel_queue}, {NULL, NULL}};

void dg_send_open(lua_State *L)
{
    dg_socket_add(L, methods, core);
}
