/* SPDX-License-Identifier: MIT */
/* A socket's batch: datagrams that one receive has brought, from the cursor on. Fills it from the kernel and goes past
 * what is refused; nothing here knows who takes them. */
#ifndef DG_SOCKET_BATCH_H
#define DG_SOCKET_BATCH_H

#include "../loop/turn.h"
#include "socket.h"

DG_HIDDEN_BEGIN

/* Receives the next batch. Returns how many slots are filled, or a negative errno. */
int dg_batch_receive(dg_socket *s);
/* Sets how many slots the next receive offers: twice as many where all were filled, else as many as were. At intervals
 * it is always as many as there is a use for. Returns whether it pays to look for more at once. */
int dg_batch_adapt(dg_socket *s, unsigned got);
/* Passes over what the block list refuses, and what others than the peer had sent before the socket was connected,
 * before anything is made of it: the slots of a batch have one sender each. In the midst of a train, whose listener has
 * connected the socket, only the latter is asked again. */
void dg_batch_skip_refused(dg_socket *s);

static inline int dg_batch_left(const dg_socket *s)
{
    return s->rx.batch != NULL && s->rx.batch_at < s->rx.batch_count;
}

/* Whether the socket may hand out more in this turn of the loop. */
static inline int dg_batch_has_share(dg_socket *s)
{
    const dg_turn *turn = &s->state->turn;
    if (s->rx.handed_in != turn->serial) {
        s->rx.handed_in = turn->serial;
        s->rx.handed = 0;
    }
    return !turn->exhausted && s->rx.handed < DG_TURN_MESSAGES;
}

/* Whether calls may take datagrams of it. */
static inline int dg_batch_may_be_taken(const dg_socket *s)
{
    return s->life == DG_OPEN && !(s->rx.stopped & ~(unsigned)DG_NO_CALL);
}

DG_HIDDEN_END

#endif
