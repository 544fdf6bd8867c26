/* SPDX-License-Identifier: MIT */
/* A socket's send queue: which datagrams it accepts, when they go to the kernel, and the event `drain`. Arguments are
 * read by lua/arguments.h, system calls are made by net/transmit.h, results are reported by report.h.
 *
 * A send goes to the kernel within its call when none of dgram's listeners and callbacks is running, nothing waits in
 * the socket, and no flush is noted for it; one is noted then. All others wait until a batch is full, the running
 * dispatch ends, or the loop's next turn. Without a loop each goes within its call. */
#ifndef DG_SOCKET_SEND_QUEUE_H
#define DG_SOCKET_SEND_QUEUE_H

#include "../lua/arguments.h"
#include "lanes.h"
#include "list_callback.h"
#include "socket.h"

DG_HIDDEN_BEGIN

/* Bytes that a waiting datagram counts beside its own, so that the limit bounds empty datagrams, too. */
enum { DG_ENTRY_COST = 64 };

/* Where a datagram is reported: to the function at a stack index (0: nowhere, but a failure is an `error` event). A
 * datagram of a list with a callback has the list callback, and its index. */
typedef struct dg_reporting {
    int callback;
    dg_list_callback *list_callback;
} dg_reporting;

/* Returns whether the next datagram goes to the kernel within its call. To be asked before dg_send_queue_put. */
int dg_send_queue_goes_now(lua_State *L, const dg_socket *s);
/* Accepts a datagram of the socket at index 1 for a literal destination. `route` is the caller's, fits (dg_route_fit),
 * and no finalizer can change it. The arguments are checked. Raises for want of memory only, and has changed nothing
 * then. Returns what dg_send_queue_has_room does, or 0 where the datagram was refused for want of room. */
int dg_send_queue_put(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_route *route,
                      const dg_reporting *reporting);
/* Does the same, and hands the datagram to the kernel where it may go now. Returns what dg_send_queue_put does. */
int dg_send_queue_send(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_route *route, int callback);
/* Flushes what goes within the call. Returns what dg_send_queue_put would have returned after the flush. */
int dg_send_queue_go_now(lua_State *L, dg_socket *s, int has_room);
/* Pushes what the methods that send return; where that is false, `drain` will come. Returns 1. */
static inline int dg_send_queue_answer(lua_State *L, dg_socket *s, int has_room);
/* dg_send_queue_put with the slow part skipped: for a string that the queue has credit for (queue.h), to an address or
 * the peer, with no callback or one that there is a place for. Else it returns -1 and has changed nothing. Allocates
 * nothing but in a flush. */
static inline int dg_send_queue_append(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_inet *to,
                                       int callback);
/* Is called after datagrams were queued: flushes if one more of this length does not fit into the batch, else grants
 * new credit. Returns what dg_send_queue_put does. */
int dg_send_queue_go_on(lua_State *L, dg_socket *s, size_t length);
/* Binds the socket if it is unbound, and checks whether it accepts a datagram of this length; `to` is NULL while it is
 * not known. Returns 0 or an error for dg_send_queue_fail. */
int dg_send_queue_admit(lua_State *L, dg_socket *s, size_t length, const dg_address *to);
/* Reports a datagram that was not accepted, to callback(error, value) or by the `error` event. Returns what
 * dg_send_queue_put does. */
int dg_send_queue_fail(lua_State *L, dg_socket *s, int error, const dg_address *to, int callback, size_t value);

/* Returns how many datagrams wait: in the queue, in lanes, and for names to be looked up. */
size_t dg_send_queue_waiting(const dg_socket *s);
/* Returns how many bytes of the limit they use. */
static inline size_t dg_send_queue_used(const dg_socket *s);
/* Returns whether so many more datagrams, of so many bytes together, would exceed the limit. */
int dg_send_queue_is_over(const dg_socket *s, size_t count, uint64_t bytes);
/* Returns how many bytes of the limit the lanes use. */
size_t dg_send_queue_lanes_used(const dg_socket *s);
/* Returns what send returns for a datagram that was accepted: whether at most half of the limit is used. */
static inline int dg_send_queue_has_room(const dg_socket *s)
{
    return dg_send_queue_used(s) <= s->tx.limit / 2;
}
/* A method that sends returns false: `drain` will come. */
void dg_send_queue_need_drain(lua_State *L, int index, dg_socket *s);
/* Notes the event `drain`, if a send has returned false since the last one and nothing waits. */
void dg_send_queue_emit_drain(lua_State *L, int index, dg_socket *s);
/* Takes the `drain` that was noted. Returns whether it is to be emitted now; if something waits, it is pending
 * again. */
int dg_send_queue_take_drain(dg_socket *s);

/* Hands the queue to the kernel. Where the kernel takes no more, the rest waits until the descriptor is writable, or
 * until Unix peers have room. */
void dg_send_queue_flush(lua_State *L, int index, dg_socket *s);
/* Does the same, and tries the lanes first. */
void dg_send_queue_flush_all(lua_State *L, int index, dg_socket *s);
/* Does the same as dg_send_queue_flush at the end of a dispatch, and notes the reports as work. */
void dg_send_queue_flush_now(lua_State *L, int index, dg_socket *s);
/* Gives up all datagrams that wait, but for those that wait for a look-up. Each callback gets the error. A datagram
 * without a callback is an `error` event, or, with `silent`, only counted. Returns how many there were. */
size_t dg_send_queue_give_up(lua_State *L, int index, dg_socket *s, int error, int silent);

/* Set the options sendQueueLimit and sendBlockList. The list has to live as long as the socket. */
static inline void dg_send_queue_set_limit(dg_socket *s, size_t limit)
{
    s->tx.limit = limit;
}
static inline void dg_send_queue_set_block_list(dg_socket *s, const dg_blocklist *list)
{
    s->tx.block_list = list;
}

/* Counts datagrams that failed before they were queued. */
static inline void dg_send_queue_count_errors(dg_socket *s, size_t count)
{
    s->tx.transmitter.errors += count;
}

/* The kernel takes datagrams again, or nothing waits for that any more. */
static inline void dg_send_queue_unblock(dg_socket *s)
{
    s->tx.blocked = DG_NOT_BLOCKED;
}

/* The retry timer has fired. Returns whether lanes wait for it: then the next flush tries them. */
static inline int dg_send_queue_retry(dg_socket *s)
{
    if (!s->tx.waits_for_peers)
        return 0;
    s->tx.waits_for_peers = 0;
    s->tx.tries_lanes = 1;
    return 1;
}

/* Returns whether there may be something to report: a batch that was full, or a setter, has flushed the queue. */
static inline int dg_send_queue_has_results(const dg_socket *s)
{
    return s->tx.queue.to_report != 0 || s->tx.lanes != NULL;
}

static inline size_t dg_send_queue_used(const dg_socket *s)
{
    size_t load = dg_queue_bytes(&s->tx.queue) + s->tx.awaiting_bytes +
                  DG_ENTRY_COST * (dg_queue_count(&s->tx.queue) + s->tx.awaiting_lookup);
    return s->tx.lanes == NULL ? load : load + dg_send_queue_lanes_used(s);
}

static inline int dg_send_queue_answer(lua_State *L, dg_socket *s, int has_room)
{
    if (!has_room)
        dg_send_queue_need_drain(L, 1, s);
    lua_pushboolean(L, has_room);
    return 1;
}

static inline int dg_send_queue_append(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_inet *to,
                                       int callback)
{
    uint32_t tag = DG_TAG_NONE;
    if (!dg_queue_has_credit(&s->tx.queue, payload->length))
        return -1;
    if (callback != 0) {
        if (!dg_callbacks_have_room(&s->tx.callbacks))
            return -1;
        tag = dg_callbacks_add(L, &s->tx.callbacks, 1, callback);
    }
    if (dg_queue_append(&s->tx.queue, payload->text, payload->length, to, tag))
        return 1;
    return dg_send_queue_go_on(L, s, payload->length);
}

DG_HIDDEN_END

#endif
