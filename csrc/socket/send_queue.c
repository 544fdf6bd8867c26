/* SPDX-License-Identifier: MIT */
#include "send_queue.h"

#include <errno.h>

#include "../loop/luv.h"
#include "bind.h"
#include "icmp.h"
#include "report.h"
#include "timers.h"
#include "watch.h"
#include "work.h"

enum {
    FULL_COUNT = DG_MOST_SEGMENTS, /* so many datagrams, or bytes, go to the kernel at once */
    FULL_BYTES = DG_MAX_PAYLOAD_IPV4,
    FULL_UNIX = DG_BATCH,      /* there is no GSO: waiting for more than one call takes would gain nothing */
    LONGEST_BACKOFF = 64,      /* milliseconds */
    LARGEST_UNIX = 0x7ffffffe, /* less than the length that stands for sums beyond 32 bits; the kernel takes far less */
    LARGEST = 65535,           /* no UDP datagram is longer; what the kernel says of shorter ones is its affair */
};

/* ---- What waits */

size_t dg_send_queue_lanes_used(const dg_socket *s)
{
    return dg_lanes_bytes(s) + DG_ENTRY_COST * dg_lanes_count(s);
}

size_t dg_send_queue_waiting(const dg_socket *s)
{
    return dg_queue_count(&s->tx.queue) + s->tx.awaiting_lookup + dg_lanes_count(s);
}

void dg_send_queue_emit_drain(lua_State *L, int index, dg_socket *s)
{
    if (s->tx.drains != DG_DRAIN_PENDING || dg_send_queue_waiting(s) != 0)
        return;
    s->tx.drains = DG_DRAIN_NOTED;
    lua_pushnil(L);
    if (!dg_work_emit(L, index, "drain"))
        s->tx.drains = DG_DRAIN_NONE;
}

int dg_send_queue_take_drain(dg_socket *s)
{
    if (s->tx.drains != DG_DRAIN_NOTED)
        return 0;
    s->tx.drains = dg_send_queue_waiting(s) != 0 ? DG_DRAIN_PENDING : DG_DRAIN_NONE;
    return s->tx.drains == DG_DRAIN_NONE;
}

void dg_send_queue_need_drain(lua_State *L, int index, dg_socket *s)
{
    if (s->tx.drains == DG_DRAIN_NONE)
        s->tx.drains = DG_DRAIN_PENDING;
    dg_send_queue_emit_drain(L, index, s);
}

/* ---- To the kernel */

/* Reports an ICMP error that a send returned: it is an earlier datagram's, so no callback gets it. */
static void report_late_error(lua_State *L, int index, dg_socket *s)
{
    const int error = s->tx.transmitter.late_error;
    s->tx.transmitter.late_error = 0;
    dg_icmp_report_or(L, index, s, error);
}

/* The kernel took no more of the socket's queue. A Unix datagram with a destination of its own has to wait for that
 * peer, in a lane; anything else waits until the descriptor is writable. Returns whether the rest may be sent. */
static int wait_for_room(lua_State *L, int index, dg_socket *s)
{
    const dg_entry *first = dg_queue_waiting(&s->tx.queue, 0);
    if (s->family == AF_UNIX && dg_queue_route(&s->tx.queue, first)->to.length != 0) {
        dg_work_add(L, index, s, DG_WORK_FLUSH); /* if there is no memory for a lane, the next turn tries again */
        dg_lanes_divert(L, index, s);
        return 1;
    }
    if (dg_luv_available(L)) {
        s->tx.blocked = DG_BLOCKED_POLL;
        dg_watch_update(L, index, s);
    }
    return 0;
}

/* Starts the timer that has the lanes tried again. Its time doubles, up to a bound, while no lane makes progress. */
static void wait_for_peers(lua_State *L, int index, dg_socket *s, int progress)
{
    if (s->tx.waits_for_peers || dg_lanes_count(s) == 0 || !dg_luv_available(L))
        return;
    s->tx.backoff = (unsigned char)(progress || s->tx.backoff == 0    ? 1
                                    : s->tx.backoff < LONGEST_BACKOFF ? 2 * s->tx.backoff
                                                                      : s->tx.backoff);
    dg_work_add(L, index, s, DG_WORK_FLUSH); /* if there is no memory for a timer, the next turn tries again */
    dg_timers_retry(L, index, s, s->tx.backoff);
    s->tx.waits_for_peers = 1;
    dg_work_unmark(s, DG_WORK_FLUSH);
    dg_watch_update(L, index, s);
}

static int may_send(const dg_socket *s)
{
    return s->local.state != DG_BINDING && s->fd >= 0;
}

static void flush(lua_State *L, int index, dg_socket *s, int tries_lanes)
{
    const size_t count = dg_queue_count(&s->tx.queue);
    int progress = 0;
    index = dg_absindex(L, index);
    dg_queue_revoke(&s->tx.queue); /* the next send must note another flush */
    if (!may_send(s) || (count == 0 && s->tx.lanes == NULL))
        return;
    if (tries_lanes && s->tx.lanes != NULL)
        progress = dg_lanes_try(s);
    while (!s->tx.blocked && dg_transmit(&s->tx.transmitter, &s->tx.queue, s->fd) == DG_TRANSMIT_BLOCKED)
        if (!wait_for_room(L, index, s) || !may_send(s))
            break;
    if (s->tx.lanes != NULL) {
        dg_lanes_sweep(L, index, s);
        wait_for_peers(L, index, s, progress);
    }
    if (s->tx.drains != DG_DRAIN_NONE)
        dg_send_queue_emit_drain(L, index, s);
    if (s->tx.transmitter.late_error != 0)
        report_late_error(L, index, s);
    if (count == 1 && s->tx.queue.to_report != 0 && s->state->current != s)
        dg_report_lone_failure(L, index, s);
}

void dg_send_queue_flush(lua_State *L, int index, dg_socket *s)
{
    int tries_lanes = s->tx.tries_lanes;
    s->tx.tries_lanes = 0;
    flush(L, index, s, tries_lanes);
}

void dg_send_queue_flush_all(lua_State *L, int index, dg_socket *s)
{
    s->tx.tries_lanes = 1;
    dg_send_queue_flush(L, index, s);
}

void dg_send_queue_flush_now(lua_State *L, int index, dg_socket *s)
{
    dg_send_queue_flush(L, index, s);
    if (dg_send_queue_has_results(s))
        dg_work_add(L, index, s, DG_WORK_REPORT);
}

size_t dg_send_queue_give_up(lua_State *L, int index, dg_socket *s, int error, int silent)
{
    const size_t refused = s->tx.queue.refused; /* they are counted as errors, but not as given up */
    size_t count = dg_queue_give_up(&s->tx.queue, error, silent) + dg_lanes_give_up(s, error, silent);
    s->tx.transmitter.errors += count + refused;
    s->tx.transmitter.single = 0;
    s->tx.blocked = DG_NOT_BLOCKED;
    dg_lanes_sweep(L, index, s);
    if (dg_report_pending(s) != 0)
        dg_work_add(L, index, s, DG_WORK_REPORT);
    dg_send_queue_emit_drain(L, index, s);
    return count;
}

/* ---- What is accepted */

/* Returns the lane in which a datagram has to wait behind others, or NULL. The lane may be older than the connection to
 * that peer. */
static dg_lane *lane_of(const dg_socket *s, const dg_address *to)
{
    if (s->tx.lanes == NULL)
        return NULL;
    return dg_lanes_find(s, to->length == 0 && s->peer.state == DG_CONNECTED ? s->peer.address : to);
}

int dg_send_queue_goes_now(lua_State *L, const dg_socket *s)
{
    if (s->state->depth != 0 || (s->job.pending & DG_WORK_FLUSH))
        return 0;
    return dg_queue_count(&s->tx.queue) == 0 || !dg_luv_present(L);
}

int dg_send_queue_fail(lua_State *L, dg_socket *s, int error, const dg_address *to, int callback, size_t value)
{
    s->tx.transmitter.errors++;
    dg_report_push_error(L, s, error, to, value);
    dg_work_fail(L, 1, callback, (lua_Integer)value);
    return error != DG_OVER_LIMIT && dg_send_queue_has_room(s);
}

static int is_full(const dg_socket *s, size_t length)
{
    return dg_queue_count(&s->tx.queue) >= (s->family == AF_UNIX ? FULL_UNIX : FULL_COUNT) ||
           dg_queue_bytes(&s->tx.queue) + length > FULL_BYTES;
}

/* A lone datagram uses its own bytes only, so that any datagram may be sent that fits into the limit. */
int dg_send_queue_is_over(const dg_socket *s, size_t count, uint64_t bytes)
{
    uint64_t load = dg_send_queue_used(s);
    return load + bytes + (load == 0 && count == 1 ? 0 : (uint64_t)count * DG_ENTRY_COST) > s->tx.limit;
}

int dg_send_queue_admit(lua_State *L, dg_socket *s, size_t length, const dg_address *to)
{
    if (s->life == DG_OPEN && s->local.state != DG_BOUND) {
        int status = dg_bind_bind_any(L, 1, s);
        if (status != 0)
            return status;
    }
    if (s->tx.block_list != NULL && to != NULL && to->length != 0 && dg_blocklist_has(s->tx.block_list, to))
        return DG_REFUSED_BY_LIST;
    if (length > (s->family == AF_UNIX ? LARGEST_UNIX : LARGEST))
        return -EMSGSIZE;
    if (!dg_send_queue_is_over(s, 1, length))
        return 0;
    dg_send_queue_flush(L, 1, s); /* what waits for a batch may go now */
    return dg_send_queue_is_over(s, 1, length) ? DG_OVER_LIMIT : 0;
}

/* Queues the datagram, or its refusal, at the end of its queue. Room is made before anything changes, and no Lua memory
 * is allocated, so no finalizer can send in between. */
static int push(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_route *route, int refusal,
                const dg_reporting *reporting)
{
    int callback = reporting->callback;
    dg_lane *lane = refusal == 0 ? lane_of(s, &route->to) : NULL;
    dg_queue *queue = lane != NULL ? &lane->queue : &s->tx.queue;
    dg_callbacks *callbacks = lane != NULL ? &lane->callbacks : &s->tx.callbacks;
    uint32_t tag = DG_TAG_NONE;
    if (s->fd < 0) /* a finalizer has closed the socket while memory was allocated before */
        return -ECANCELED;
    char *place = dg_queue_reserve(queue, refusal == 0 ? payload->length : 0);
    if (place == NULL)
        return -ENOMEM;
    if (refusal == 0 && dg_payload_copy(L, payload, place) != 0)
        return -EINVAL;
    if (callback != 0)
        tag = dg_callbacks_add(L, callbacks, 1, callback) |
              (reporting->list_callback != NULL ? (uint32_t)DG_TAG_LIST : 0);
    if (reporting->list_callback != NULL)
        reporting->list_callback->pending++;
    if (lane != NULL && dg_queue_count(queue) == 0) /* the lane is empty, so the peer may have room */
        s->tx.tries_lanes = 1;
    if (refusal == 0)
        dg_queue_push(queue, payload->length, lane != NULL ? &lane->route : route, tag);
    else
        dg_queue_refuse(queue, payload->length, route, tag, refusal);
    return 0;
}

/* Returns whether a refusal is reported without being queued. It is mostly reported in the order of the sends; but not
 * where the queue is full, or blocked. */
static int fails_at_once(const dg_socket *s, int refusal, const dg_reporting *reporting)
{
    return reporting->list_callback == NULL && (refusal == DG_OVER_LIMIT || (refusal != 0 && s->tx.blocked));
}

static dg_callbacks *callbacks_for(dg_socket *s, const dg_address *to)
{
    dg_lane *lane = lane_of(s, to);
    return lane != NULL ? &lane->callbacks : &s->tx.callbacks;
}

/* Makes room for a callback in the lane's ring. The lane may be gone when the table is made, because a finalizer may
 * run the loop. */
static void make_lane_room(lua_State *L, dg_socket *s, const dg_address *to)
{
    dg_lane *lane = lane_of(s, to);
    unsigned room = lane != NULL ? dg_callbacks_wanted(&lane->callbacks, 1) : 0;
    if (room == 0)
        return;
    lua_createtable(L, (int)room, 0);
    lane = lane_of(s, to);
    if (lane != NULL)
        dg_callbacks_take_ring(L, &lane->callbacks, 1, room);
    else
        lua_pop(L, 1);
}

static int lacks_place(dg_socket *s, const dg_address *to, int callback)
{
    return callback != 0 &&
           (!dg_callbacks_have_room(&s->tx.callbacks) || !dg_callbacks_have_room(callbacks_for(s, to)));
}

/* Returns whether a flush is noted, or the running dispatch is the socket's and ends with one. */
static int will_flush(const dg_socket *s)
{
    return (s->job.pending & DG_WORK_FLUSH) || s->state->dispatch.socket == s;
}

static int lacks_flush(const dg_socket *s)
{
    return !will_flush(s) && !s->tx.blocked;
}

/* Makes a place for the callback and notes the flush, before anything is queued: both may fail for want of memory. A
 * finalizer may undo either meanwhile, so this repeats. Without luv there is no flush; but a callback needs a loop. */
static void prepare(lua_State *L, dg_socket *s, const dg_address *to, int callback)
{
    if (callback != 0 && !s->state->luv_met)
        dg_luv_available(L);
    do {
        if (lacks_place(s, to, callback)) {
            dg_callbacks_make_room(L, &s->tx.callbacks, 1, 1);
            make_lane_room(L, s, to);
        }
        if (lacks_flush(s))
            dg_work_add(L, 1, s, DG_WORK_FLUSH);
    } while (lacks_place(s, to, callback) || (lacks_flush(s) && dg_luv_present(L)));
}

static size_t up_to(size_t most, size_t used)
{
    return used < most ? most - used : 0;
}

/* Grants credit: how much more may be queued without looking at anything but the queue. It lasts until a batch is full
 * or send has to return false, and only while a flush is noted. A queue with one datagram gets none: most such
 * datagrams are answers, and remain alone. */
static void grant_credit(dg_socket *s)
{
    size_t bytes = dg_queue_bytes(&s->tx.queue), count = dg_queue_count(&s->tx.queue);
    if (count <= 1)
        return;
    size_t batch = up_to(FULL_BYTES, bytes), room = up_to(s->tx.limit / 2, dg_send_queue_used(s)) / 2;
    size_t places = up_to(FULL_COUNT, count), bearable = room / DG_ENTRY_COST;
    if (bearable != 0 && will_flush(s) && s->local.state == DG_BOUND && s->tx.awaiting_lookup == 0 &&
        s->tx.block_list == NULL && s->family != AF_UNIX)
        dg_queue_grant(&s->tx.queue, batch < room ? batch : room, places < bearable ? places : bearable);
}

int dg_send_queue_go_on(lua_State *L, dg_socket *s, size_t length)
{
    if (is_full(s, length))
        dg_send_queue_flush(L, 1, s);
    else
        grant_credit(s);
    return dg_send_queue_has_room(s);
}

/* Reports a datagram that was not queued: to its list callback, or as dg_send_queue_fail does. */
static int report_rejected(lua_State *L, dg_socket *s, int status, const dg_address *to, const dg_reporting *reporting,
                           size_t length)
{
    if (reporting->list_callback == NULL)
        return dg_send_queue_fail(L, s, status, to, reporting->callback, length);
    s->tx.transmitter.errors++;
    dg_report_push_error(L, s, status, to, length);
    dg_list_callback_fail(L, reporting->callback);
    return dg_send_queue_has_room(s);
}

static int put_in_queue(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_route *route,
                        const dg_reporting *reporting)
{
    int refusal = dg_send_queue_admit(L, s, payload->length, &route->to), status = refusal;
    prepare(L, s, &route->to, reporting->callback);
    if (!fails_at_once(s, refusal, reporting))
        status = push(L, s, payload, route, refusal, reporting);
    if (status != 0)
        return report_rejected(L, s, status, &route->to, reporting, payload->length);
    return dg_send_queue_go_on(L, s, payload->length);
}

/* Queues a datagram for the peer where finalizers may run before: one may connect the socket to another peer. */
static int put_to_peer(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_route *route,
                       const dg_reporting *reporting)
{
    const unsigned connection = s->peer.serial;
    dg_route peer = *route;
    dg_address_copy(&peer.to, s->peer.address);
    prepare(L, s, &route->to, reporting->callback);
    return put_in_queue(L, s, payload, s->peer.serial == connection ? route : &peer, reporting);
}

int dg_send_queue_put(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_route *route,
                      const dg_reporting *reporting)
{
    if (route->to.length == 0 && s->peer.state == DG_CONNECTED &&
        (lacks_place(s, &route->to, reporting->callback) || lacks_flush(s)))
        return put_to_peer(L, s, payload, route, reporting);
    return put_in_queue(L, s, payload, route, reporting);
}

int dg_send_queue_go_now(lua_State *L, dg_socket *s, int has_room)
{
    int waits = dg_queue_count(&s->tx.queue) != 0;
    dg_send_queue_flush(L, 1, s);
    return has_room || (waits && dg_send_queue_has_room(s));
}

int dg_send_queue_send(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_route *route, int callback)
{
    const dg_reporting reporting = {callback, NULL};
    int now = dg_send_queue_goes_now(L, s), has_room = dg_send_queue_put(L, s, payload, route, &reporting);
    return now ? dg_send_queue_go_now(L, s, has_room) : has_room;
}
