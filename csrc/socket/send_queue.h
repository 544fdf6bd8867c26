/* SPDX-License-Identifier: MIT */
/* A socket's send queue as Lua sees it: what is accepted and what refused, when it goes to the kernel, and `drain`. The
 * argument forms are send_arguments.h's; who is told what became of a datagram is report.h's.
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

/* What a waiting datagram counts against the limit beside its bytes, so that empty ones are bounded, too. */
enum { DG_ENTRY_COST = 64 };

/* Who is told of a datagram's fate: the function at a stack index (0: nobody but, on failure, the `error` event). For
 * one of a list with a callback it is the group's index, and the group. */
typedef struct dg_reporting {
    int callback;
    dg_list_callback *group;
} dg_reporting;

/* Whether what is sent next goes to the kernel within the call; to be asked before dg_send_queue_put. */
int dg_send_queue_goes_now(lua_State *L, const dg_socket *s);
/* Accepts a datagram of the socket at index 1 for a literal destination (length 0: the peer), which no finalizer can
 * change meanwhile. Its arguments are checked; nothing raises but for want of memory, and then nothing has changed.
 * Returns what dg_send_queue_has_room says then, or 0 where it was refused for want of room. */
int dg_send_queue_put(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_address *to,
                      const dg_reporting *reporting);
/* Puts it so, and hands it to the kernel where it may go now. Returns what dg_send_queue_put does. */
int dg_send_queue_send(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_address *to, int callback);
/* The flush of what goes within the call. Returns what dg_send_queue_put would if the kernel had taken it at once. */
int dg_send_queue_go_now(lua_State *L, dg_socket *s, int below);
/* Pushes what the methods that send return, and owes `drain` where that is false. Returns 1. */
static inline int dg_send_queue_answer(lua_State *L, dg_socket *s, int below);
/* dg_send_queue_put in the common case, a string that the queue allows (queue.h) to an address or the peer, with a
 * callback that there is a place for or none: else it returns -1 and has changed nothing. Allocates nothing but in a
 * flush. */
static inline int dg_send_queue_put_plain(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_inet *to,
                                          int callback);
/* What comes behind datagrams that were put: the flush, if one more of this length does not fit into the batch. Returns
 * what dg_send_queue_put does. */
int dg_send_queue_go_on(lua_State *L, dg_socket *s, size_t length);
/* Binds the socket if need be; `to` is NULL while it is not known. 0, or why a datagram of this length cannot be
 * accepted: an error for dg_send_queue_fail. */
int dg_send_queue_admit(lua_State *L, dg_socket *s, size_t length, const dg_address *to);
/* Tells callback(error, value) or the `error` event of one that was not; returns what dg_send_queue_put does. */
int dg_send_queue_fail(lua_State *L, dg_socket *s, int error, const dg_address *to, int callback, size_t value);

/* What waits: in the queue, in lanes, and for names to be looked up. */
size_t dg_send_queue_waiting(const dg_socket *s);
/* What of that counts against the limit, in bytes. */
static inline size_t dg_send_queue_load(const dg_socket *s);
/* Whether so many more datagrams, of so many bytes together, are too much for the limit. */
int dg_send_queue_is_over(const dg_socket *s, size_t count, size_t bytes);
/* The lanes' part of it. */
size_t dg_send_queue_lanes_load(const dg_socket *s);
/* What send returns of a socket that refused nothing: whether less than half of what may wait does. */
static inline int dg_send_queue_has_room(const dg_socket *s)
{
    return dg_send_queue_load(s) <= s->tx.limit / 2;
}
/* A method that sends returns false: `drain` is to come. */
void dg_send_queue_owe_drain(lua_State *L, int index, dg_socket *s);
/* Emits `drain`, later, if a send has returned false since the last one and nothing waits any more. */
void dg_send_queue_tell_drain(lua_State *L, int index, dg_socket *s);
/* Takes the `drain` that was noted: whether it is to be told now, once, and when nothing waits. */
int dg_send_queue_take_drain(dg_socket *s);

/* Hands the queue to the kernel; waits for writability, or for Unix peers, where it must. */
void dg_send_queue_flush(lua_State *L, int index, dg_socket *s);
/* The same, and tries what waits for Unix peers again. */
void dg_send_queue_flush_all(lua_State *L, int index, dg_socket *s);
/* The same at the end of a dispatch; notes the reports. */
void dg_send_queue_flush_now(lua_State *L, int index, dg_socket *s);
/* Gives up what waits, but for look-ups: each callback gets the error; those without one are an `error` event, or, with
 * `silent`, only counted. Returns how many there were. */
size_t dg_send_queue_give_up(lua_State *L, int index, dg_socket *s, int error, int silent);

static inline size_t dg_send_queue_load(const dg_socket *s)
{
    size_t load = dg_queue_bytes(&s->tx.queue) + s->tx.awaiting_bytes +
                  DG_ENTRY_COST * (dg_queue_count(&s->tx.queue) + s->tx.awaiting_lookup);
    return s->tx.lanes == NULL ? load : load + dg_send_queue_lanes_load(s);
}

static inline int dg_send_queue_answer(lua_State *L, dg_socket *s, int below)
{
    if (!below)
        dg_send_queue_owe_drain(L, 1, s);
    lua_pushboolean(L, below);
    return 1;
}

static inline int dg_send_queue_put_plain(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_inet *to,
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
