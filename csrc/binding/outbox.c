/* SPDX-License-Identifier: MIT */
#include "outbox.h"

#include <errno.h>

#include "blocklists.h"
#include "endpoint.h"
#include "error.h"
#include "luv.h"
#include "poll.h"
#include "tick.h"

enum {
    FULL_COUNT = DG_MOST_SEGMENTS, /* so many datagrams, or bytes, go to the kernel at once */
    FULL_BYTES = DG_MAX_PAYLOAD_IPV4,
    FULL_UNIX = DG_BATCH,      /* nothing goes in trains there: more than one call takes need not wait for each other */
    ENOUGH_SINGLES = 4,        /* then the next datagram is likely to be a lone one */
    REFUSED_BY_LIST = -100000, /* an entry's error that is no errno: the sendBlockList's */
    LONGEST_BACKOFF = 64,      /* milliseconds */
    LARGEST_UNIX = 0x7ffffffe, /* less than what stands for sums that 32 bits do not hold; the kernel takes far less */
    LARGEST = 65535,           /* no UDP datagram is longer; what the kernel says of those below is its affair */
};

/* An ICMP error that a send tripped over belongs to an earlier datagram: it is nobody's callback's. */
static void report_late_error(lua_State *L, int index, dg_socket *s)
{
    if (s->transmitter.late_error == 0)
        return;
    dg_socket_push_error(L, s, s->transmitter.late_error, "recvmsg", NULL);
    s->transmitter.late_error = 0;
    dg_tick_emit(L, index, "error");
}

/* Until the kernel takes more. A full Unix peer without a connection is asked again, less and less often. */
static void wait_for_kernel(lua_State *L, int index, dg_socket *s, int progress)
{
    const dg_entry *first = dg_queue_waiting(&s->queue, 0);
    int by_timer = s->family == AF_UNIX && dg_queue_route(&s->queue, first)->length != 0;
    if (!dg_luv_available(L))
        return;
    if (by_timer) {
        s->backoff = (unsigned char)(progress || s->backoff == 0    ? 1
                                     : s->backoff < LONGEST_BACKOFF ? 2 * s->backoff
                                                                    : s->backoff);
        dg_tick_due(L, index, s, DG_DUE_FLUSH); /* without the memory for a timer the next tick tries again */
        dg_poll_retry(L, index, s, s->backoff);
        s->due &= (unsigned char)~DG_DUE_FLUSH;
    }
    s->blocked = by_timer ? DG_BLOCKED_TIMER : DG_BLOCKED_POLL;
    dg_poll_update(L, index, s);
}

void dg_outbox_tell_drain(lua_State *L, int index, dg_socket *s)
{
    s->backoff = 0;
    if (s->drains != DG_DRAIN_OWED)
        return;
    s->drains = DG_DRAIN_NOTED;
    lua_pushnil(L);
    if (!dg_tick_emit(L, index, "drain"))
        s->drains = DG_DRAIN_NONE;
}

int dg_outbox_take_drain(dg_socket *s)
{
    if (s->drains != DG_DRAIN_NOTED)
        return 0;
    s->drains = dg_queue_count(&s->queue) != 0 || s->held != 0 ? DG_DRAIN_OWED : DG_DRAIN_NONE;
    return s->drains == DG_DRAIN_NONE;
}

static void note_send(dg_socket *s)
{
    s->hub->sends++;
    s->hub->sent_in = s->hub->dispatches;
}

void dg_outbox_flush(lua_State *L, int index, dg_socket *s)
{
    dg_queue_disallow(&s->queue); /* the next send has to see that another flush is noted */
    if (s->blocked || s->binding || s->fd < 0 || dg_queue_count(&s->queue) == 0)
        return;
    size_t before = dg_queue_count(&s->queue);
    note_send(s);
    s->singles = before == 1 ? (unsigned char)(s->singles + (s->singles < ENOUGH_SINGLES)) : 0;
    if (dg_transmit(&s->transmitter, &s->queue, s->fd) == DG_TRANSMIT_BLOCKED)
        wait_for_kernel(L, index, s, dg_queue_count(&s->queue) != before);
    else if (s->held == 0)
        dg_outbox_tell_drain(L, index, s);
    report_late_error(L, index, s);
}

/* Pushes the error of a datagram, whose entry or refusal has this code. */
static void push_error(lua_State *L, const dg_socket *s, int error, const dg_address *to)
{
    if (error == REFUSED_BY_LIST)
        dg_blocklists_push_error(L, to);
    else if (error == -ENOTCONN && s->family == AF_UNIX) /* Linux disconnects from a peer that is gone */
        dg_socket_push_error(L, s, -ECONNREFUSED, "send", to);
    else
        dg_socket_push_error(L, s, error, "send", to);
}

/* A datagram that is done, taken off the queue: what is told of it must not depend on what finalizers and callbacks do.
 */
typedef struct verdict {
    const dg_socket *socket;
    dg_entry entry;
    dg_address to;
} verdict;

static int make_error(lua_State *L)
{
    const verdict *v = lua_touserdata(L, 1);
    push_error(L, v->socket, v->entry.error, &v->to);
    return 1;
}

/* Pushes its error, or nil. Without the memory for an error object it is what Lua says then. */
static void push_verdict(lua_State *L, verdict *v)
{
    if (v->entry.error == 0) {
        lua_pushnil(L);
        return;
    }
    lua_pushcfunction(L, make_error);
    lua_pushlightuserdata(L, v);
    lua_pcall(L, 1, 1, 0);
}

/* A datagram of a list, whose group is on top of the stack, is done; the last one's end is the callback's turn. */
static void report_to_group(lua_State *L, verdict *v)
{
    const int index = lua_gettop(L);
    dg_group *group = lua_touserdata(L, index);
    group->pending--;
    group->sent += v->entry.error == 0;
    if (v->entry.error != 0) {
        push_verdict(L, v);
        dg_group_fail(L, index);
    }
    if (dg_group_is_done(group)) {
        dg_group_push_result(L, index);
        lua_call(L, 2, 0);
    }
    lua_settop(L, index - 1);
}

/* What went well, with a callback of its own: nearly all reports are such. */
static int is_plain(const dg_entry *entry)
{
    return entry->error == 0 && (entry->callback == DG_MARK_SAME || entry->callback == DG_MARK_NEXT);
}

static void report_plain(lua_State *L, dg_taking *taking, dg_socket *s, const dg_entry *entry)
{
    lua_Integer length = (lua_Integer)entry->length;
    enum dg_mark mark = (enum dg_mark)entry->callback;
    dg_queue_reported(&s->queue);
    dg_callbacks_take(L, &s->callbacks, taking, mark);
    lua_pushnil(L);
    lua_pushinteger(L, length);
    lua_call(L, 2, 0);
}

/* Takes the first report off the queue and makes its call: the callback's, or an `error` event's. */
static void report(lua_State *L, int index, dg_taking *taking, dg_socket *s, const dg_entry *entry)
{
    verdict v = {s, *entry, {0, {{0}}}};
    dg_address_copy(&v.to, dg_queue_route(&s->queue, entry));
    dg_queue_reported(&s->queue);
    if (v.entry.callback == DG_MARK_NONE) {
        push_verdict(L, &v);
        dg_tick_emit(L, index, "error");
        return;
    }
    dg_callbacks_take(L, &s->callbacks, taking, dg_mark_of(v.entry.callback));
    if (v.entry.callback & DG_MARK_GROUP) {
        report_to_group(L, &v);
    } else {
        push_verdict(L, &v);
        lua_pushinteger(L, (lua_Integer)v.entry.length);
        lua_call(L, 2, 0);
    }
}

void dg_outbox_report(lua_State *L, int index, dg_socket *s)
{
    const dg_entry *entry;
    if (s->queue.to_report == 0)
        return;
    index = dg_absindex(L, index);
    dg_taking taking = dg_callbacks_begin(L, index);
    while (s->report_limit != 0 && s->queue.to_report != 0 && (entry = dg_queue_report(&s->queue)) != NULL) {
        s->report_limit--;
        if (is_plain(entry))
            report_plain(L, &taking, s, entry);
        else
            report(L, index, &taking, s, entry);
    }
    lua_settop(L, taking.slots - 1);
}

void dg_outbox_owe_drain(lua_State *L, int index, dg_socket *s)
{
    if (s->drains == DG_DRAIN_NONE)
        s->drains = DG_DRAIN_OWED;
    if (dg_queue_count(&s->queue) == 0 && s->held == 0)
        dg_outbox_tell_drain(L, index, s);
}

int dg_outbox_fail(lua_State *L, dg_socket *s, int error, const dg_address *to, int callback, size_t value)
{
    s->transmitter.errors++;
    push_error(L, s, error, to);
    dg_tick_fail(L, 1, callback, (lua_Integer)value);
    return error != -ENOBUFS && dg_outbox_has_room(s);
}

static int is_full(const dg_socket *s, size_t length)
{
    return dg_queue_count(&s->queue) >= (s->family == AF_UNIX ? FULL_UNIX : FULL_COUNT) ||
           dg_queue_bytes(&s->queue) + length > FULL_BYTES;
}

static int is_over(const dg_socket *s, size_t length)
{
    return dg_queue_bytes(&s->queue) + s->held_bytes + length > s->queue_limit;
}

int dg_outbox_admit(lua_State *L, dg_socket *s, size_t length, const dg_address *to)
{
    int status = s->life == DG_OPEN && !s->bound ? dg_endpoint_bind_any(L, 1, s) : 0;
    if (status != 0)
        return status;
    if (s->send_block != NULL && to != NULL && to->length != 0 && dg_blocklist_has(s->send_block, to))
        return REFUSED_BY_LIST;
    if (length > (s->family == AF_UNIX ? LARGEST_UNIX : LARGEST))
        return -EMSGSIZE;
    if (is_over(s, length)) /* what was only collected so far may go */
        dg_outbox_flush(L, 1, s);
    return is_over(s, length) ? -ENOBUFS : 0;
}

/* Puts the datagram, or what refused it, at the end of the queue. Nothing of Lua's is allocated between the reservation
 * and the push: no finalizer can send in between. */
static int push(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_address *to, int refusal,
                const dg_reporting *reporting)
{
    int callback = reporting->callback;
    if (s->fd < 0) /* a finalizer that ran in what was allocated so far has closed it */
        return -ECANCELED;
    char *place = refusal == 0 ? dg_queue_reserve(&s->queue, payload->length) : NULL;
    if (refusal == 0 && place == NULL)
        return -ENOMEM;
    if (refusal == 0 && dg_payload_copy(L, payload, place) != 0)
        return -EINVAL;
    enum dg_mark mark = callback != 0 ? dg_callbacks_add(L, &s->callbacks, 1, callback) : DG_MARK_NONE;
    uint32_t marks = (uint32_t)mark | (reporting->group != NULL ? (uint32_t)DG_MARK_GROUP : 0);
    int status = refusal == 0 ? dg_queue_push(&s->queue, payload->length, to, marks)
                              : dg_queue_refuse(&s->queue, payload->length, to, marks, refusal);
    if (status != 0)
        dg_callbacks_undo(&s->callbacks, mark);
    else if (reporting->group != NULL)
        reporting->group->pending++;
    return status;
}

/* A refusal is told in its turn; but where the queue stands still, or is full, at once. */
static int is_told_at_once(const dg_socket *s, int refusal, const dg_reporting *reporting)
{
    return reporting->group == NULL && (refusal == -ENOBUFS || (refusal != 0 && s->blocked));
}

static int lacks_place(const dg_socket *s, int callback)
{
    return callback != 0 && !dg_callbacks_have_room(&s->callbacks);
}

static int lacks_flush(const dg_socket *s)
{
    return !(s->due & DG_DUE_FLUSH) && !s->blocked;
}

/* Makes a place for the callback and notes the flush, before there is something to flush: this may fail for want of
 * memory, and then nothing is queued. Each allocates, and a finalizer that sends or runs the loop meanwhile may undo
 * the other: so until both are there. Without luv there is no flush to note. */
static void prepare(lua_State *L, dg_socket *s, int callback)
{
    do {
        if (lacks_place(s, callback))
            dg_callbacks_make_room(L, &s->callbacks, 1);
        if (lacks_flush(s))
            dg_tick_due(L, 1, s, DG_DUE_FLUSH);
    } while (lacks_place(s, callback) || (lacks_flush(s) && dg_luv_available(L)));
}

static size_t up_to(size_t most, size_t used)
{
    return used < most ? most - used : 0;
}

/* Says how much more may be put without a look at anything but the queue: until a batch is full or send has to return
 * false, and only while the flush is noted. For a lone datagram, as answers are, this would be in vain. */
static void allow_more(dg_socket *s)
{
    size_t bytes = dg_queue_bytes(&s->queue), count = dg_queue_count(&s->queue);
    size_t batch = up_to(FULL_BYTES, bytes), room = up_to(s->queue_limit / 2, bytes);
    if (count > 1 && dg_outbox_has_room(s) && (s->due & DG_DUE_FLUSH) && s->bound && s->held == 0 &&
        s->send_block == NULL && s->family != AF_UNIX)
        dg_queue_allow(&s->queue, batch < room ? batch : room, up_to(FULL_COUNT, count));
}

int dg_outbox_go_on(lua_State *L, dg_socket *s, size_t length)
{
    if (is_full(s, length))
        dg_outbox_flush(L, 1, s);
    else
        allow_more(s);
    return dg_outbox_has_room(s);
}

/* Tells of a datagram that could not be queued: its group, or who dg_outbox_fail tells. */
DG_COLD static int fail_one(lua_State *L, dg_socket *s, int status, const dg_address *to, const dg_reporting *reporting,
                            size_t length)
{
    if (reporting->group == NULL)
        return dg_outbox_fail(L, s, status, to, reporting->callback, length);
    s->transmitter.errors++;
    push_error(L, s, status, to);
    dg_group_fail(L, reporting->callback);
    return dg_outbox_has_room(s);
}

static int put_in_queue(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_address *to,
                        const dg_reporting *reporting)
{
    int refusal = dg_outbox_admit(L, s, payload->length, to), status = refusal;
    prepare(L, s, reporting->callback);
    if (!is_told_at_once(s, refusal, reporting))
        status = push(L, s, payload, to, refusal, reporting);
    if (status != 0)
        return fail_one(L, s, status, to, reporting, payload->length);
    return dg_outbox_go_on(L, s, payload->length);
}

/* To the peer, where finalizers may run first: one of them may connect the socket to another one. */
static int put_to_peer(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_address *to,
                       const dg_reporting *reporting)
{
    const unsigned connection = s->connection;
    dg_address peer;
    dg_address_copy(&peer, s->peer);
    prepare(L, s, reporting->callback);
    return put_in_queue(L, s, payload, s->connection == connection ? to : &peer, reporting);
}

/* Whether nothing speaks against sending it without the queue. A batch is worth waiting for, until the end of the
 * dispatch; but a socket that has sent one datagram a time lately will hardly send another. Where it does, it waits for
 * batches again. */
static int may_go_at_once(dg_socket *s, const dg_payload *payload, const dg_reporting *reporting)
{
    if (s->hub->depth == 0)
        return 0;
    if (s->at_once_in == s->hub->dispatches)
        s->singles = 0;
    return s->singles >= ENOUGH_SINGLES && dg_queue_count(&s->queue) == 0 && payload->length <= s->queue_limit / 2 &&
           reporting->callback == 0 && payload->text != NULL && s->family != AF_UNIX && !s->blocked && !s->binding;
}

/* Whether it went. */
static int go_at_once(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_address *to)
{
    const dg_outgoing out = {payload->text, (uint32_t)payload->length, 0, to};
    if (dg_outbox_admit(L, s, payload->length, to) != 0 || s->fd < 0 ||
        !dg_transmit_at_once(&s->transmitter, s->fd, &out))
        return 0;
    note_send(s);
    s->at_once_in = s->hub->dispatches;
    return 1;
}

int dg_outbox_put(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_address *to,
                  const dg_reporting *reporting)
{
    if (may_go_at_once(s, payload, reporting) && go_at_once(L, s, payload, to))
        return dg_outbox_has_room(s);
    if (to->length == 0 && s->connected && (lacks_place(s, reporting->callback) || lacks_flush(s)))
        return put_to_peer(L, s, payload, to, reporting);
    return put_in_queue(L, s, payload, to, reporting);
}
