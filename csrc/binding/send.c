/* SPDX-License-Identifier: MIT */
#include "send.h"

#include <errno.h>
#include <string.h>

#include "error.h"
#include "send_arguments.h"
#include "tick.h"

enum {
    FULL_COUNT = DG_BATCH,              /* so many datagrams, or bytes, go to the kernel at once */
    FULL_BYTES = DG_MAX_PAYLOAD_IN,
    LARGEST = 65535,                    /* no UDP datagram is longer; what the kernel says of those below is its affair */
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
static void report_first(lua_State *L, int index, int callbacks, dg_socket *s)
{
    const dg_entry *entry = dg_queue_report(&s->queue);
    int callback = (int)entry->callback;
    if (callback == 0) {
        push_verdict(L, s, entry);
        dg_tick_emit(L, index, "error");
        dg_queue_reported(&s->queue);
        return;
    }
    lua_rawgeti(L, callbacks, callback);
    push_verdict(L, s, entry);
    lua_pushinteger(L, (lua_Integer)entry->length);
    dg_queue_reported(&s->queue);
    luaL_unref(L, callbacks, callback);
    lua_call(L, 2, 0);
}

void dg_send_report(lua_State *L, int index, dg_socket *s)
{
    index = dg_absindex(L, index);
    dg_gettable(L, index);
    lua_rawgeti(L, -1, DG_SLOT_CALLBACKS);
    int callbacks = lua_gettop(L);
    while (s->report_limit != 0 && s->queue.to_report != 0 && dg_queue_report(&s->queue) != NULL) {
        s->report_limit--;
        report_first(L, index, callbacks, s);
    }
    lua_settop(L, callbacks - 2);
}

/* Returns a handle for the callback at `index`, 0 for none. */
static uint32_t refer(lua_State *L, int socket, int index)
{
    if (index == 0 || !lua_isfunction(L, index))
        return 0;
    dg_gettable(L, socket);
    lua_rawgeti(L, -1, DG_SLOT_CALLBACKS);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, DG_SLOT_CALLBACKS);
    }
    lua_pushvalue(L, index);
    int handle = luaL_ref(L, -2);
    lua_pop(L, 2);
    return (uint32_t)handle;
}

static void unrefer(lua_State *L, int socket, uint32_t handle)
{
    if (handle == 0)
        return;
    dg_gettable(L, socket);
    lua_rawgeti(L, -1, DG_SLOT_CALLBACKS);
    luaL_unref(L, -1, (int)handle);
    lua_pop(L, 2);
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

/* Accepts a datagram for a literal destination. Arguments from `payload` on are checked; nothing raises but for want of
 * memory, and then nothing has changed. Returns whether the queue is below its mark. */
static int enqueue(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_address *to, int callback)
{
    int status = s->life == DG_OPEN ? dg_socket_bind_any(L, 1, s) : 0;
    if (status != 0)
        return fail(L, status, payload, to, callback);
    if (payload->length > LARGEST)
        return fail(L, -EMSGSIZE, payload, to, callback);
    if (dg_queue_bytes(&s->queue) + s->held_bytes + payload->length > QUEUE_LIMIT)
        return fail(L, -ENOBUFS, payload, to, callback);
    char *place = dg_queue_reserve(&s->queue, payload->length);
    if (place == NULL)
        return fail(L, -ENOMEM, payload, to, callback);
    dg_payload_copy(L, payload, place);
    uint32_t handle = refer(L, 1, callback);
    if (dg_queue_push(&s->queue, payload->length, to, handle) != 0) {
        unrefer(L, 1, handle);
        return fail(L, -ENOMEM, payload, to, callback);
    }
    if (is_full(s, payload->length))
        dg_send_flush(L, 1, s);
    if (s->due == 0 && (dg_queue_count(&s->queue) != 0 || s->queue.to_report != 0) && !s->blocked)
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
    lua_call(L, 5, 0);
}

/* Parses the destination, or remembers it. Returns what dg_address_parse does. */
static int find_destination(lua_State *L, dg_socket *s, const dg_arguments *arguments)
{
    dg_memo *memo = &s->memo;
    size_t length = 0;
    const char *text = arguments->address != 0 ? lua_tolstring(L, arguments->address, &length) : "";
    if (memo->port == arguments->port && memo->length == length && memcmp(memo->text, text, length) == 0)
        return 0;
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
    payload.offset = 0;
    luaL_checklstring(L, 2, &payload.length);
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
        dg_queue_done(&s->queue, -ECANCELED);
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

static const luaL_Reg core[] = {
    {"sendResolved", core_send_resolved}, {"cancelQueue", core_cancel_queue}, {NULL, NULL}};

void dg_send_open(lua_State *L)
{
    dg_hub_get(L, DG_STORE_METATABLE);
    dg_setfuncs(L, methods, 1);
    lua_pushvalue(L, -2);
    dg_hub_get(L, DG_STORE_METATABLE);
    dg_setfuncs(L, core, 1);
    lua_pop(L, 1);
}
