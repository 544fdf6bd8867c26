/* SPDX-License-Identifier: MIT */
#include "send.h"

#include <errno.h>
#include <string.h>

#include "blocklists.h"
#include "endpoint.h"
#include "error.h"
#include "loop.h"
#include "send_arguments.h"
#include "tick.h"

enum {
    FULL_COUNT = DG_BATCH, /* so many datagrams, or bytes, go to the kernel at once */
    FULL_BYTES = DG_MAX_PAYLOAD_IN,
    IS_BLOCKED = -100000, /* an entry's error that is no errno: the sendBlockList's */
    LONGEST_BACKOFF = 64, /* milliseconds */
    LARGEST = 65535,      /* no UDP datagram is longer; what the kernel says of those below is its affair */
};

/* An ICMP error that a send tripped over belongs to an earlier datagram: it is nobody's callback's. */
static void report_late_error(lua_State *L, int index, dg_socket *s)
{
    if (s->transmitter.late_error == 0)
        return;
    dg_endpoint_push_error(L, s, s->transmitter.late_error, "recvmsg", NULL);
    s->transmitter.late_error = 0;
    dg_tick_emit(L, index, "error");
}

/* Until the kernel takes more. A full Unix peer without a connection is asked again, less and less often. */
static void wait_for_kernel(lua_State *L, int index, dg_socket *s, int progress)
{
    const dg_entry *first = dg_queue_waiting(&s->queue, 0);
    int by_timer = s->family == AF_UNIX && dg_queue_route(&s->queue, first)->length != 0;
    if (!dg_loop_available(L))
        return;
    if (by_timer) {
        s->backoff = (unsigned char)(progress || s->backoff == 0    ? 1
                                     : s->backoff < LONGEST_BACKOFF ? 2 * s->backoff
                                                                    : s->backoff);
        dg_loop_retry(L, index, s, s->backoff);
    }
    s->blocked = by_timer ? DG_BLOCKED_TIMER : DG_BLOCKED_POLL;
    dg_socket_update(L, index, s);
}

static void tell_drain(lua_State *L, int index, dg_socket *s)
{
    s->backoff = 0;
    if (!s->drains)
        return;
    s->drains = 0;
    lua_pushnil(L);
    dg_tick_emit(L, index, "drain");
}

void dg_send_flush(lua_State *L, int index, dg_socket *s)
{
    if (s->blocked || s->binding || s->fd < 0 || dg_queue_count(&s->queue) == 0)
        return;
    size_t before = dg_queue_count(&s->queue);
    if (dg_transmit(&s->transmitter, &s->queue, s->fd) == DG_TRANSMIT_BLOCKED)
        wait_for_kernel(L, index, s, dg_queue_count(&s->queue) != before);
    else if (s->held == 0)
        tell_drain(L, index, s);
    report_late_error(L, index, s);
}

/* Pushes the error of a datagram, whose entry or refusal has this code. */
static void push_error(lua_State *L, const dg_socket *s, int error, const dg_address *to)
{
    if (error == IS_BLOCKED)
        dg_blocklists_push_error(L, to);
    else if (error == -ENOTCONN && s->family == AF_UNIX) /* Linux disconnects from a peer that is gone */
        dg_endpoint_push_error(L, s, -ECONNREFUSED, "send", to);
    else
        dg_endpoint_push_error(L, s, error, "send", to);
}

/* Pushes the error of a datagram that is done, or nil. */
static void push_verdict(lua_State *L, const dg_socket *s, const dg_entry *entry)
{
    if (entry->error != 0)
        push_error(L, s, entry->error, dg_queue_route(&s->queue, entry));
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

/* What send returns: whether less than half of what may wait does; `drain` comes after a false. */
static int answer(lua_State *L, dg_socket *s, int accepted)
{
    if (accepted && dg_queue_bytes(&s->queue) + s->held_bytes <= s->queue_limit / 2)
        return 1;
    s->drains = 1;
    if (dg_queue_count(&s->queue) == 0 && s->held == 0)
        tell_drain(L, 1, s);
    return 0;
}

static int fail(lua_State *L, dg_socket *s, int error, const dg_payload *payload, const dg_address *to, int callback)
{
    push_error(L, s, error, to);
    dg_tick_fail(L, 1, callback, (lua_Integer)payload->length);
    return answer(L, s, error != -ENOBUFS);
}

static int is_full(const dg_socket *s, size_t length)
{
    return dg_queue_count(&s->queue) >= FULL_COUNT || dg_queue_bytes(&s->queue) + length > FULL_BYTES;
}

/* Why a datagram cannot even be queued: 0 or an error as of its entry. */
static int refuse(lua_State *L, dg_socket *s, size_t length, const dg_address *to)
{
    int status = s->life == DG_OPEN && !s->bound ? dg_endpoint_bind_any(L, 1, s) : 0;
    if (status != 0)
        return status;
    if (s->send_block != NULL && to != NULL && dg_blocklist_has(s->send_block, to))
        return IS_BLOCKED;
    if (length > LARGEST && s->family != AF_UNIX)
        return -EMSGSIZE;
    return dg_queue_bytes(&s->queue) + s->held_bytes + length > s->queue_limit ? -ENOBUFS : 0;
}

static enum dg_mark keep_callback(lua_State *L, dg_socket *s, int callback)
{
    if (callback == 0 || !lua_isfunction(L, callback))
        return DG_MARK_NONE;
    dg_gettable(L, 1);
    enum dg_mark mark = dg_callbacks_add(L, &s->callbacks, lua_gettop(L), callback);
    lua_pop(L, 1);
    return mark;
}

/* Puts the datagram, or what refused it, at the end of the queue. */
static int push(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_address *to, int callback, int refusal)
{
    char *place = refusal == 0 ? dg_queue_reserve(&s->queue, payload->length) : NULL;
    if (refusal == 0 && place == NULL)
        return -ENOMEM;
    if (refusal == 0)
        dg_payload_copy(L, payload, place);
    enum dg_mark mark = keep_callback(L, s, callback);
    int status = refusal == 0 ? dg_queue_push(&s->queue, payload->length, to, mark)
                              : dg_queue_refuse(&s->queue, payload->length, to, mark, refusal);
    if (status != 0)
        dg_callbacks_undo(&s->callbacks, mark);
    return status;
}

/* Accepts a datagram for a literal destination. Its arguments are checked; nothing raises but for want of memory, and then
 * nothing has changed. Returns whether the queue is below its mark. */
static int enqueue(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_address *to, int callback)
{
    int refusal = refuse(L, s, payload->length, to);
    /* A refusal is told in its turn; but where the queue stands still, or is full, at once. */
    int at_once = refusal == -ENOBUFS || (refusal != 0 && s->blocked);
    int status = at_once ? refusal : push(L, s, payload, to, callback, refusal);
    if (status != 0)
        return fail(L, s, status, payload, to, callback);
    if (is_full(s, payload->length))
        dg_send_flush(L, 1, s);
    if (s->due == 0 && !s->blocked && (dg_queue_count(&s->queue) != 0 || s->queue.to_report != 0))
        dg_tick_due(L, 1, s, DG_DUE_FLUSH);
    return answer(L, s, 1);
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

static int parse_destination(lua_State *L, dg_socket *s, const dg_arguments *arguments, const char *text, size_t length)
{
    dg_address *out = &s->memo.address;
    if (s->family == AF_UNIX)
        return dg_address_unix(out, text, length);
    if (arguments->address == 0) {
        dg_address_loopback(out, s->family, arguments->port);
        return 0;
    }
    dg_argument_address(L, arguments->address, "address");
    return dg_address_parse(out, s->family, dg_socket_maps(s), text, arguments->port);
}

/* Parses the destination, or remembers it. Returns what dg_address_parse does. */
static int find_destination(lua_State *L, dg_socket *s, const dg_arguments *arguments)
{
    dg_memo *memo = &s->memo;
    size_t length = 0;
    const char *text = arguments->address != 0 ? lua_tolstring(L, arguments->address, &length) : "";
    if (memo->known && memo->port == arguments->port && memo->length == length && memcmp(memo->text, text, length) == 0)
        return 0;
    memo->known = 0;
    int status = parse_destination(L, s, arguments, text, length);
    if (status != 0 || length >= sizeof memo->text)
        return status;
    memcpy(memo->text, text, length);
    memo->length = length;
    memo->port = arguments->port;
    memo->known = 1;
    return 0;
}

/* Binds first if need be, then lets the Lua side look the name up. Returns whether there is room for more. */
static int send_to_name(lua_State *L, dg_socket *s, const dg_arguments *arguments)
{
    int status = refuse(L, s, arguments->payload.length, NULL);
    if (status == 0)
        hold(L, s, arguments);
    else
        return fail(L, s, status, &arguments->payload, NULL, arguments->callback);
    return answer(L, s, 1);
}

static int send_checked(lua_State *L, dg_socket *s, const dg_arguments *arguments)
{
    int status = arguments->to_peer ? 0 : find_destination(L, s, arguments), below = 1;
    if (status == 0) {
        const dg_address *to = arguments->to_peer ? NULL : &s->memo.address;
        below = enqueue(L, s, &arguments->payload, to, arguments->callback);
    } else if (status == DG_NOT_A_LITERAL) {
        below = send_to_name(L, s, arguments);
    } else {
        dg_endpoint_push_text_error(L, status, "send", arguments->address, arguments->port);
        dg_tick_fail(L, 1, arguments->callback, (lua_Integer)arguments->payload.length);
    }
    lua_pushboolean(L, below);
    return 1;
}

static enum dg_form form_of(const dg_socket *s)
{
    if (s->connected)
        return DG_FORM_PEER;
    return s->family == AF_UNIX ? DG_FORM_PATH : DG_FORM_PORT;
}

/* socket:send(msg [, offset, length], port [, address] [, cb]) -> whether the queue is below its mark.
 * Connected: without port and address. unix_dgram: with a path in their place. sendmsg(2) */
static int socket_send(lua_State *L)
{
    dg_arguments arguments;
    dg_socket *s = dg_socket_running(L);
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
    if (s->life == DG_CLOSED) /* finalized: the state is being closed */
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
            fail(L, s, status == DG_NOT_A_LITERAL ? -EINVAL : status, &payload, NULL, 5);
    }
    if (s->held == 0 && dg_queue_count(&s->queue) == 0)
        tell_drain(L, 1, s);
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
    lua_pushinteger(L, (lua_Integer)(dg_queue_count(&s->queue) - s->queue.refused + s->held));
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
    dg_socket_add(L, methods, core);
}
