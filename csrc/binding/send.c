/* SPDX-License-Identifier: MIT */
#include "send.h"

#include <errno.h>
#include <string.h>

#include "error.h"
#include "send_arguments.h"
#include "tick.h"

enum {
    FULL_COUNT = DG_BATCH, /* so many datagrams, or bytes, go to the kernel at once */
    FULL_BYTES = DG_MAX_PAYLOAD_IN,
    LARGEST = 65535, /* no UDP datagram is longer; what the kernel says of those below is its affair */
    QUEUE_LIMIT = 16 * 1024 * 1024,
};

/* An ICMP error that a send tripped over belongs to an earlier datagram: it is nobody's callback's. */
static void report_late_error(lua_State *L, int index, dg_socket *s)
{
    if (s->transmitter.late_error == 0)
        return;
    dg_error_push_system(L, s->transmitter.late_error, "send", NULL);
    s->transmitter.late_error = 0;
    dg_tick_emit(L, index, "error");
}

void dg_send_flush(lua_State *L, int index, dg_socket *s)
{
    if (s->blocked || s->binding || s->fd < 0 || dg_queue_count(&s->queue) == 0)
        return;
    s->blocked = dg_transmit(&s->transmitter, &s->queue, s->fd) == DG_TRANSMIT_BLOCKED;
    if (s->blocked)
        dg_socket_update(L, index, s);
    report_late_error(L, index, s);
}

/* Pushes the error of a datagram that is done, or nil. */
static void push_verdict(lua_State *L, const dg_socket *s, const dg_entry *entry)
{
    if (entry->error != 0)
        dg_error_push_system(L, entry->error, "send", dg_queue_route(&s->queue, entry));
    else
        lua_pushnil(L);
}

/* Takes the first report off the queue and makes its call: the callback's, or an `error` event's. */
static void report(lua_State *L, int index, int slots, dg_socket *s, const dg_entry *entry)
{
    enum dg_mark mark = (enum dg_mark)entry->callback;
    lua_Integer length = (lua_Integer)entry->length;
    push_verdict(L, s, entry);
    dg_queue_reported(&s->queue);
    if (mark == DG_MARK_NONE) {
        dg_tick_emit(L, index, "error");
        return;
    }
    dg_callbacks_take(L, &s->callbacks, slots, mark);
    lua_insert(L, -2);
    lua_pushinteger(L, length);
    lua_call(L, 2, 0);
}

void dg_send_report(lua_State *L, int index, dg_socket *s)
{
    const dg_entry *entry;
    if (s->queue.to_report == 0)
        return;
    index = dg_absindex(L, index);
    dg_gettable(L, index);
    int slots = lua_gettop(L);
    while (s->report_limit != 0 && s->queue.to_report != 0 && (entry = dg_queue_report(&s->queue)) != NULL) {
        s->report_limit--;
        report(L, index, slots, s, entry);
    }
    lua_settop(L, slots - 1);
}

static int fail(lua_State *L, int error, const dg_payload *payload, const dg_address *to, int callback)
{
    dg_error_push_system(L, error, "send", to);
    dg_tick_fail(L, 1, callback, (lua_Integer)payload->length);
    return error != -ENOBUFS;
}

static int is_full(const dg_socket *s, size_t length)
{
    return dg_queue_count(&s->queue) >= FULL_COUNT || dg_queue_bytes(&s->queue) + length > FULL_BYTES;
}

/* Why a datagram cannot even be queued: 0 or a negative errno. */
static int refuse(lua_State *L, dg_socket *s, size_t length)
{
    int status = s->life == DG_OPEN && !s->bound ? dg_socket_bind_any(L, 1, s) : 0;
    if (status != 0)
        return status;
    if (length > LARGEST)
        return -EMSGSIZE;
    return dg_queue_bytes(&s->queue) + s->held_bytes + length > QUEUE_LIMIT ? -ENOBUFS : 0;
}

static int push(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_address *to, int callback)
{
    enum dg_mark mark = DG_MARK_NONE;
    char *place = dg_queue_reserve(&s->queue, payload->length);
    if (place == NULL)
        return -ENOMEM;
    dg_payload_copy(L, payload, place);
    if (callback != 0 && lua_isfunction(L, callback)) {
        dg_gettable(L, 1);
        mark = dg_callbacks_add(L, &s->callbacks, lua_gettop(L), callback);
        lua_pop(L, 1);
    }
    int status = dg_queue_push(&s->queue, payload->length, to, mark);
    if (status != 0)
        dg_callbacks_undo(&s->callbacks, mark);
    return status;
}

/* Accepts a datagram for a literal destination. Its arguments are checked; nothing raises but for want of memory, and then
 * nothing has changed. Returns whether the queue is below its mark. */
static int enqueue(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_address *to, int callback)
{
    int status = refuse(L, s, payload->length);
    if (status == 0)
        status = push(L, s, payload, to, callback);
    if (status != 0)
        return fail(L, status, payload, to, callback);
    if (is_full(s, payload->length))
        dg_send_flush(L, 1, s);
    if (s->due == 0 && !s->blocked && (dg_queue_count(&s->queue) != 0 || s->queue.to_report != 0))
        dg_tick_due(L, 1, s, DG_DUE_FLUSH);
    return !s->blocked || dg_queue_bytes(&s->queue) <= QUEUE_LIMIT / 2;
}

/* A name: the Lua side looks it up, and comes back through core.sendResolved. */
static void hold(lua_State *L, dg_socket *s, const dg_arguments *arguments)
{
    dg_hub_get(L, DG_STORE_HOOKS);
    lua_getfield(L, -1, "sendToName");
    lua_pushvalue(L, 1);
    dg_payload_push(L, &arguments->payload);
    lua_pushinteger(L, (lua_Integer)arguments->port);
    lua_pushvalue(L, arguments->address);
    if (arguments->callback != 0)
        lua_pushvalue(L, arguments->callback);
    else
        lua_pushnil(L);
    s->held++;
    s->held_bytes += arguments->payload.length;
    dg_socket_update(L, 1, s);
    if (lua_pcall(L, 5, 0, 0) == 0)
        return;
    s->held--;
    s->held_bytes -= arguments->payload.length;
    dg_socket_update(L, 1, s);
    lua_error(L);
}

/* Parses the destination, or remembers it. Returns what dg_address_parse does. */
static int find_destination(lua_State *L, dg_socket *s, const dg_arguments *arguments)
{
    dg_memo *memo = &s->memo;
    size_t length = 0;
    const char *text = arguments->address != 0 ? lua_tolstring(L, arguments->address, &length) : "";
    if (memo->port == arguments->port && memo->length == length && memcmp(memo->text, text, length) == 0)
        return 0;
    if (arguments->address != 0)
        dg_argument_address(L, arguments->address, "address");
    memo->port = 0;
    if (length == 0) {
        dg_address_loopback(&memo->address, s->family, arguments->port);
    } else {
        int status = dg_address_parse(&memo->address, s->family, dg_socket_maps(s), text, arguments->port);
        if (status != 0)
            return status;
    }
    if (length < sizeof memo->text) {
        memcpy(memo->text, text, length);
        memo->length = length;
        memo->port = arguments->port;
    }
    return 0;
}

static int send_checked(lua_State *L, dg_socket *s, const dg_arguments *arguments)
{
    int status = find_destination(L, s, arguments), below = 1;
    if (status == 0) {
        below = enqueue(L, s, &arguments->payload, &s->memo.address, arguments->callback);
    } else if (status == DG_NOT_A_LITERAL) {
        status = dg_socket_bind_any(L, 1, s);
        if (status == 0)
            hold(L, s, arguments);
        else
            fail(L, status, &arguments->payload, NULL, arguments->callback);
    } else {
        lua_pushcfunction(L, dg_error_new_system);
        lua_pushinteger(L, status);
        lua_pushliteral(L, "send");
        lua_pushvalue(L, arguments->address);
        lua_pushinteger(L, (lua_Integer)arguments->port);
        lua_call(L, 4, 1);
        dg_tick_fail(L, 1, arguments->callback, (lua_Integer)arguments->payload.length);
    }
    lua_pushboolean(L, below);
    return 1;
}

/* socket:send(msg [, offset, length], port [, address] [, cb]) -> whether the queue is below its mark. */
static int socket_send(lua_State *L)
{
    dg_arguments arguments;
    dg_socket *s = dg_socket_running(L);
    dg_arguments_of_send(L, &arguments);
    return send_checked(L, s, &arguments);
}

/* socket:sendto(msg, offset, length, port, address [, cb]): the old form, all of it required. */
static int socket_sendto(lua_State *L)
{
    dg_arguments arguments;
    dg_socket *s = dg_socket_running(L);
    dg_arguments_of_sendto(L, &arguments);
    return send_checked(L, s, &arguments);
}

/* core.sendResolved(socket, msg, port, address, callback): a look-up's answer for a datagram that was held.
 * address nil: it failed with the error object in the sixth argument. The socket may be closing by now. */
static int core_send_resolved(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    dg_payload payload;
    dg_address to;
    lua_settop(L, 6);
    payload.index = 2;
    payload.parts = 0;
    payload.text = luaL_checklstring(L, 2, &payload.length);
    s->held--;
    s->held_bytes -= payload.length;
    if (s->life == DG_CLOSED)
        return 0;
    if (lua_isnil(L, 4)) {
        lua_pushvalue(L, 6);
        dg_tick_fail(L, 1, 5, (lua_Integer)payload.length);
    } else {
        int status = dg_address_parse(&to, s->family, dg_socket_maps(s), luaL_checkstring(L, 4),
                                      (unsigned)luaL_checkinteger(L, 3));
        if (status == 0)
            enqueue(L, s, &payload, &to, 5);
        else
            fail(L, status == DG_NOT_A_LITERAL ? -EINVAL : status, &payload, NULL, 5);
    }
    if (s->life == DG_CLOSING)
        dg_tick_due(L, 1, s, DG_DUE_FLUSH | DG_DUE_CLOSE);
    dg_socket_update(L, 1, s);
    return 0;
}

/* core.cancelQueue(socket): the bind that the queued datagrams waited for failed; each fails with ECANCELED. */
static int core_cancel_queue(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    while (dg_queue_count(&s->queue) != 0)
        dg_queue_failed(&s->queue, -ECANCELED);
    dg_tick_due(L, 1, s, DG_DUE_REPORT);
    return 0;
}

/* socket:getSendQueueSize(): bytes accepted and not yet handed to the kernel. */
static int socket_get_send_queue_size(lua_State *L)
{
    const dg_socket *s = dg_socket_check(L);
    dg_error_surplus(L, 1);
    lua_pushinteger(L, (lua_Integer)(dg_queue_bytes(&s->queue) + s->held_bytes));
    return 1;
}

/* socket:getSendQueueCount(): datagrams likewise. */
static int socket_get_send_queue_count(lua_State *L)
{
    const dg_socket *s = dg_socket_check(L);
    dg_error_surplus(L, 1);
    lua_pushinteger(L, (lua_Integer)(dg_queue_count(&s->queue) + s->held));
    return 1;
}

static const luaL_Reg methods[] = {
    {"send", socket_send},
    {"sendto", socket_sendto},
    {"getSendQueueSize", socket_get_send_queue_size},
    {"getSendQueueCount", socket_get_send_queue_count},
    {NULL, NULL},
};

static const luaL_Reg core[] = {{"sendResolved", core_send_resolved}, {"cancelQueue", core_cancel_queue}, {NULL, NULL}};

void dg_send_open(lua_State *L)
{
    dg_hub_get(L, DG_STORE_METATABLE);
    dg_setfuncs(L, methods, 1);
    lua_pushvalue(L, -2);
    dg_hub_get(L, DG_STORE_METATABLE);
    dg_setfuncs(L, core, 1);
    lua_pop(L, 1);
}
