/* SPDX-License-Identifier: MIT */
#include "ready.h"

#include <errno.h>

#include "../net/descriptor.h"
#include "deliver.h"
#include "icmp.h"
#include "receive.h"
#include "send_queue.h"
#include "watch.h"
#include "work.h"

/* Reports the descriptor's pending error, which is mostly an ICMP message's. An adopted descriptor may have an error
 * queue in use (ip(7), IP_RECVERR), which libuv reports again and again until it is empty. A socket with the option
 * recvErrors reports what is in it. */
static void report_pending_error(lua_State *L, int index, dg_socket *s)
{
    if (dg_icmp_report(L, index, s))
        return;
    int error = dg_descriptor_take_error(s->fd);
    if (!s->rx.hears_errors && s->family != AF_UNIX) /* a Unix socket has none: the call would take a datagram */
        dg_descriptor_drop_error_queue(s->fd);
    if (error == 0)
        return;
    if (error == -EBADF || error == -ENOTSOCK) /* other code has closed the descriptor: watching it would spin */
        dg_receive_stop(s, DG_BAD_FD);
    dg_icmp_report_or(L, index, s, error);
}

/* Notes what luv reports only once: that the poll has stopped (libuv stops it on some errors), that the retry timer has
 * fired. Returns whether the lanes are to be tried. */
static int take_stop_and_retry(dg_socket *s, unsigned ready_events)
{
    if (ready_events & DG_STOPPED)
        dg_watch_stopped(s);
    if (!(ready_events & DG_RETRY))
        return 0;
    dg_receive_restart(s, DG_NO_MEMORY);
    return dg_send_queue_retry(s);
}

/* Handles all events but DG_READABLE. They are cleared before, because handling them may raise. */
static void handle_rare_events(lua_State *L, int index, dg_socket *s)
{
    unsigned ready_events = s->watch.ready_events;
    s->watch.ready_events &= DG_READABLE;
    if (s->kept_alive && (ready_events & (DG_STOPPED | DG_RETRY))) /* luv will not report them again if this raises */
        dg_work_mark(s, DG_WORK_RESUME);
    int may_flush = take_stop_and_retry(s, ready_events);
    if ((ready_events & DG_WRITABLE) && s->tx.blocked == DG_BLOCKED_POLL) {
        dg_send_queue_unblock(s);
        may_flush = 1;
    }
    if (may_flush)
        dg_work_add(L, index, s, DG_WORK_FLUSH);
    if (ready_events & (DG_ERROR | DG_STOPPED))
        report_pending_error(L, index, s);
    int spurious = (ready_events & DG_WRITABLE) && s->tx.blocked == DG_NOT_BLOCKED && !(s->job.pending & DG_WORK_FLUSH);
    if ((ready_events & (DG_ERROR | DG_STOPPED | DG_RETRY)) || spurious)
        dg_watch_update(L, index, s);
}

/* The turn is used up. A socket that is reported again before it was served is not polled until then: else luv would
 * report thousands of readable sockets up to 48 times in each turn. */
static void await_turn(lua_State *L, int index, dg_socket *s)
{
    s->watch.awaits_turn |= (s->job.pending & DG_WORK_READY) != 0;
    dg_work_add(L, index, s, DG_WORK_READY);
    if (s->watch.awaits_turn)
        dg_watch_update(L, index, s);
}

static void end_waiting(lua_State *L, int index, dg_socket *s)
{
    dg_work_mark(s, DG_WORK_RESUME); /* if the poll cannot be started for want of memory, the next turn tries again */
    s->watch.awaits_turn = 0;
    dg_watch_update(L, index, s);
}

void dg_ready_serve(lua_State *L, int index, dg_socket *s)
{
    if (s->state->turn.exhausted) {
        await_turn(L, index, s);
        return;
    }
    if (s->watch.awaits_turn)
        end_waiting(L, index, s);
    if (s->watch.ready_events & ~(unsigned)DG_READABLE)
        handle_rare_events(L, index, s);
    int readable = (s->watch.ready_events & DG_READABLE) != 0;
    s->watch.ready_events = 0;
    if (readable || dg_receive_pending(s))
        dg_deliver(L, index, s, readable);
    if (readable && !dg_socket_takes_messages(s)) /* stopping the poll may have failed before */
        dg_watch_update(L, index, s);
}

void dg_ready_note_left(dg_socket *s)
{
    unsigned kinds = 0;
    take_stop_and_retry(s, s->watch.ready_events);
    if (s->watch.ready_events & (DG_STOPPED | DG_RETRY))
        kinds |= DG_WORK_FLUSH | DG_WORK_RESUME;
    else if (dg_receive_pending(s))
        kinds |= DG_WORK_RESUME;
    if (dg_queue_count(&s->tx.queue) != 0 && !s->tx.blocked)
        kinds |= DG_WORK_FLUSH;
    if (dg_send_queue_has_results(s))
        kinds |= DG_WORK_REPORT;
    s->watch.ready_events &= (unsigned char)~(DG_STOPPED | DG_RETRY);
    if (s->kept_alive && kinds != 0) /* else it may be collected, and the list of pending sockets must not have it */
        dg_work_mark(s, kinds);
}
