/* SPDX-License-Identifier: MIT */
#include "deliver.h"

#include <errno.h>

#include "../loop/luv.h"
#include "../loop/turn.h"
#include "icmp.h"
#include "lists.h"
#include "receive.h"
#include "timers.h"
#include "watch.h"
#include "work.h"

enum {
    RETRY_AFTER = 50, /* milliseconds */
};

static void report_failure(lua_State *L, int index, dg_socket *s, int error)
{
    dg_icmp_report_or(L, index, s, error);
    if (error == -EBADF || error == -ENOTSOCK) /* other code has closed the descriptor: watching it would spin */
        dg_receive_stop(s, DG_BAD_FD);
    if (error == -ENOMEM || error == -ENOBUFS) { /* watching would spin, too, but the error may pass */
        if (dg_luv_available(L)) {
            dg_timers_retry(L, index, s, RETRY_AFTER);
            dg_receive_stop(s, DG_NO_MEMORY); /* the timer that ends it runs */
        }
    }
    dg_watch_update(L, index, s);
}

/* Receives the next batch. Returns whether to receive again after it. */
static int refill(lua_State *L, int index, dg_socket *s)
{
    int got = dg_batch_receive(s);
    if (got < 0)
        report_failure(L, index, s, got);
    if (s->family == AF_UNIX) /* it receives one datagram a call, and its queue in the kernel is short */
        return got > 0;
    return dg_batch_update_want(s, s->rx.batch_count);
}

/* Delivers what is next where somebody listens to `batch`, who is told before the receiver is. Where nobody takes
 * messages, those that `batch` had are done with. */
static void deliver_beside_lists(lua_State *L, dg_receive_frame *frame, dg_socket *s)
{
    if (s->rx.batch_at >= s->rx.announced) {
        dg_turn_others(s->state); /* the call is a long one */
        dg_lists_deliver(L, frame, s);
        dg_turn_called(s->state);
    } else if (dg_receive_wants_messages(s)) {
        dg_receive_one(L, frame, s);
        dg_turn_called(s->state);
    } else {
        dg_batch_pass_slot(s);
    }
}

/* Delivers what is left of the batch, within the budgets of the turn. */
static void deliver_batch(lua_State *L, dg_receive_frame *frame, dg_socket *s)
{
    if (!dg_batch_has_share(s) || !dg_receive_next(s))
        return;
    do
        if (s->rx.receiving & DG_TAKES_LISTS)
            deliver_beside_lists(L, frame, s);
        else
            dg_receive_rest(L, frame, s);
    while (dg_batch_left(s) && dg_batch_has_share(s) && dg_receive_next(s));
}

void dg_deliver(lua_State *L, int index, dg_socket *s, int readable)
{
    dg_receive_frame frame = dg_receive_push_frame(L, index, s);
    dg_receive_begin(s);
    dg_turn_others(s->state);
    const uint64_t before = s->rx.messages;
    for (;;) {
        deliver_batch(L, &frame, s);
        /* A nested loop may have received a batch that waits for resume(). */
        if (!readable || !dg_socket_takes_messages(s) || dg_batch_left(s) || !dg_batch_has_share(s))
            break;
        if (s->rx.messages != before &&
            (dg_queue_count(&s->tx.queue) != 0 || dg_turn_called(s->state))) /* answers go first */
            break;
        readable = refill(L, index, s);
    }
    if (!dg_batch_left(s))
        dg_receive_drop(s);
    else if (dg_receive_pending(s))
        dg_work_add(L, index, s, DG_WORK_RESUME);
    if (s->rx.handed >= DG_TURN_MESSAGES)
        s->state->turn.ends = 1;
    lua_settop(L, frame.base - 1);
}
