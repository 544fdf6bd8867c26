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
/* Sets how many slots the next receive offers: twice as many if all were filled, else as many as were filled, and at
 * least two. A moderated socket always offers as many as it may. Returns whether to receive again at once. */
int dg_batch_update_want(dg_socket *s, unsigned got);
/* Returns how many datagrams a slot has from an offset on. */
static inline unsigned dg_batch_datagrams(const dg_received *slot, uint32_t offset)
{
    return slot->segment == 0 ? 1 : (slot->length - offset + slot->segment - 1) / slot->segment;
}
/* Returns the size of the datagram that begins there. */
static inline uint32_t dg_batch_size(const dg_received *slot, uint32_t offset)
{
    return slot->length - offset < slot->segment ? slot->length - offset : slot->segment;
}

/* Moves the cursor past the datagram of `size` bytes in the current slot, which counts as received. */
static inline void dg_batch_advance(dg_socket *s, const dg_received *slot, uint32_t size)
{
    s->rx.messages++;
    s->rx.handed++;
    s->rx.bytes += size;
    s->rx.truncated += slot->truncated != 0;
    s->rx.batch_offset += size;
    if (s->rx.batch_offset >= slot->length) {
        s->rx.batch_offset = 0;
        s->rx.batch_at++;
    }
}
/* Moves it past all that is left of the current slot, which counts as received. */
void dg_batch_pass_slot(dg_socket *s);

/* Skips slots whose sender the block list contains, and, on a connected socket, slots that others than the peer had
 * sent before connect. Each slot has one sender. In the middle of a GRO batch only the latter is checked: a listener
 * may have connected the socket. */
void dg_batch_skip_refused(dg_socket *s);
/* Takes such slots out of all of the batch, from the cursor on. */
void dg_batch_remove_refused(dg_socket *s);

static inline int dg_batch_left(const dg_socket *s)
{
    return s->rx.batch != NULL && s->rx.batch_at < s->rx.batch_count;
}

/* Returns whether the budgets of the turn allow the socket to deliver more. */
static inline int dg_batch_has_share(dg_socket *s)
{
    const dg_turn *turn = &s->state->turn;
    if (s->rx.handed_in != turn->serial) {
        s->rx.handed_in = turn->serial;
        s->rx.handed = 0;
    }
    return !turn->exhausted && s->rx.handed < DG_TURN_MESSAGES;
}

/* Returns whether calls may take datagrams of it. */
static inline int dg_batch_may_be_taken(const dg_socket *s)
{
    return s->life == DG_OPEN && !(s->rx.stopped & ~(unsigned)DG_NO_CALL);
}

DG_HIDDEN_END

#endif
