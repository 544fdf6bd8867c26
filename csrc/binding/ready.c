/* SPDX-License-Identifier: MIT */
#include "ready.h"

#include <errno.h>

#include "../net/descriptor.h"
#include "poll.h"
#include "receive.h"
#include "tick.h"

/* An error waits on the descriptor: an ICMP message's, most likely. An adopted descriptor may have an error queue in
 * use (ip(7), IP_RECVERR); libuv tells of it again and again until it is empty. */
static void report_pending_error(lua_State *L, int index, dg_socket *s)
{
    int error = dg_descriptor_take_error(s->fd);
    dg_descriptor_drop_error_queue(s->fd);
    if (error == 0)
        return;
    if (error == -EBADF || error == -ENOTSOCK) /* somebody closed it behind our back: watching it would spin */
        s->paused = s->lost = 1;
    dg_socket_push_error(L, s, error, "recvmsg", NULL);
    dg_tick_emit(L, index, "error");
}

/* Takes note of what luv tells of once: that the poll stopped (libuv stops one that has an error), that the timer ran
 * out. Returns whether the queue may go on. */
static int take_ends(dg_socket *s, unsigned happened)
{
    if (happened & DG_STOPPED)
        dg_poll_stopped(s);
    if (!(happened & DG_RETRY))
        return 0;
    s->resting = 0;
    if (!s->waits_for_peers)
        return 0;
    s->waits_for_peers = 0;
    s->tries_lanes = 1;
    return 1;
}

/* All but that it is readable; each thing is forgotten before it is looked at, because that may raise. */
static void look_at(lua_State *L, int index, dg_socket *s)
{
    unsigned happened = s->happened;
    s->happened &= DG_READABLE;
    if (s->anchored && (happened & (DG_STOPPED | DG_RETRY))) /* told of only once, and what follows may raise */
        dg_tick_note(s, DG_DUE_RESUME);
    int goes_on = take_ends(s, happened);
    if ((happened & DG_WRITABLE) && s->blocked == DG_BLOCKED_POLL) {
        s->blocked = DG_NOT_BLOCKED;
        goes_on = 1;
    }
    if (goes_on)
        dg_tick_due(L, index, s, DG_DUE_FLUSH);
    if (happened & (DG_ERROR | DG_STOPPED))
        report_pending_error(L, index, s);
    int in_vain = (happened & DG_WRITABLE) && s->blocked == DG_NOT_BLOCKED && !(s->due & DG_DUE_FLUSH);
    if ((happened & (DG_ERROR | DG_STOPPED | DG_RETRY)) || in_vain)
        dg_poll_update(L, index, s);
}

void dg_ready_serve(lua_State *L, int index, dg_socket *s)
{
    if (s->hub->turn.exhausted) {
        dg_tick_due(L, index, s, DG_DUE_READY);
        return;
    }
    if (s->happened & ~(unsigned)DG_READABLE)
        look_at(L, index, s);
    int readable = (s->happened & DG_READABLE) != 0;
    s->happened = 0;
    if (readable || dg_receive_pending(s))
        dg_receive(L, index, s, readable);
    if (readable && !dg_socket_takes_messages(s)) /* what should have stopped the poll failed, perhaps */
        dg_poll_update(L, index, s);
}

void dg_ready_note_left(dg_socket *s)
{
    take_ends(s, s->happened);
    if (s->anchored && (s->happened & (DG_STOPPED | DG_RETRY)))
        dg_tick_note(s, DG_DUE_FLUSH | DG_DUE_RESUME);
    else if (dg_receive_pending(s))
        dg_tick_note(s, DG_DUE_RESUME);
    if (dg_queue_count(&s->queue) != 0 && !s->blocked)
        dg_tick_note(s, DG_DUE_FLUSH);
    s->happened &= (unsigned char)~(DG_STOPPED | DG_RETRY);
}
