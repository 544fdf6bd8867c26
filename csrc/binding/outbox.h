/* SPDX-License-Identifier: MIT */
/* A socket's send queue as Lua sees it: what is accepted and what refused, when it goes to the kernel, who is told what
 * became of it, and `drain`. The argument forms are send_arguments.h's. */
#ifndef DG_BINDING_OUTBOX_H
#define DG_BINDING_OUTBOX_H

#include "group.h"
#include "send_arguments.h"
#include "socket.h"

DG_HIDDEN_BEGIN

/* Who is told of a datagram's fate: the function at a stack index (0: nobody but, on failure, the `error` event). For
 * one of a list with a callback it is the group's index, and the group. */
typedef struct dg_reporting {
    int callback;
    dg_group *group;
} dg_reporting;

/* Accepts a datagram of the socket at index 1 for a literal destination (length 0: the peer), which no finalizer can
 * change meanwhile. Its arguments are checked; nothing raises but for want of memory, and then nothing has changed.
 * Returns what dg_outbox_has_room says then, or 0 where it was refused for want of room. */
DG_HOT int dg_outbox_put(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_address *to,
                         const dg_reporting *reporting);
/* The same in the common case, a string that the queue allows (queue.h) to an address or the peer, with a callback
 * that there is a place for or none: else it returns -1 and has changed nothing. Allocates nothing but in a flush. */
static inline int dg_outbox_put_plain(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_inet *to,
                                      int callback);
/* What comes behind datagrams that were put: the flush, if one more of this length does not fit into the batch. Returns
 * what dg_outbox_put does. */
int dg_outbox_go_on(lua_State *L, dg_socket *s, size_t length);
/* Binds the socket if need be; `to` is NULL while it is not known. 0, or why a datagram of this length cannot be
 * accepted: an error for dg_outbox_fail. */
int dg_outbox_admit(lua_State *L, dg_socket *s, size_t length, const dg_address *to);
/* Tells callback(error, value) or the `error` event of one that was not; returns what dg_outbox_put does. */
DG_COLD int dg_outbox_fail(lua_State *L, dg_socket *s, int error, const dg_address *to, int callback, size_t value);
/* What send returns of a socket that refused nothing: whether less than half of what may wait does. */
static inline int dg_outbox_has_room(const dg_socket *s)
{
    return dg_queue_bytes(&s->queue) + s->held_bytes <= s->queue_limit / 2;
}
/* A method that sends returns false: `drain` is to come. */
DG_COLD void dg_outbox_owe_drain(lua_State *L, int index, dg_socket *s);
/* Emits `drain`, later, if a send has returned false since the last one; to be called when nothing waits any more. */
void dg_outbox_tell_drain(lua_State *L, int index, dg_socket *s);

/* Takes the `drain` that was noted: whether it is to be told now, once, and when nothing waits. */
int dg_outbox_take_drain(dg_socket *s);

/* Hands the queue to the kernel; waits for writability where it must. */
void dg_outbox_flush(lua_State *L, int index, dg_socket *s);
/* Runs the callbacks of datagrams that are done, at most s->report_limit. May raise what a callback raises, having gone
 * past it. */
void dg_outbox_report(lua_State *L, int index, dg_socket *s);

static inline int dg_outbox_put_plain(lua_State *L, dg_socket *s, const dg_payload *payload, const dg_inet *to,
                                      int callback)
{
    uint32_t mark = DG_MARK_NONE;
    if (!dg_queue_is_allowed(&s->queue, payload->length))
        return -1;
    if (callback != 0) {
        if (!dg_callbacks_have_room(&s->callbacks))
            return -1;
        mark = (uint32_t)dg_callbacks_add(L, &s->callbacks, 1, callback);
    }
    if (dg_queue_append(&s->queue, payload->text, payload->length, to, mark))
        return 1;
    return dg_outbox_go_on(L, s, payload->length);
}

DG_HIDDEN_END

#endif
