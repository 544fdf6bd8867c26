/* SPDX-License-Identifier: MIT */
#include "batch.h"

#include <errno.h>

enum {
    MOST_BYTES = 256 * 1024, /* of a batch: more would leave the CPU's cache before it is delivered */
    ENOUGH_FOR_GRO = 4,      /* datagrams of one receive after which UDP_GRO is turned on */
};

/* Descriptors that come with a datagram are refused (net/ancillary.h), and counted. */
static int receive_large(dg_socket *s)
{
    int got = dg_os_receive_large(s->fd, s->rx.batch, &s->rx.asked);
    if (got > 0 && dg_arena_slot(s->rx.batch, 0)->control_cut)
        s->rx.descriptors++;
    return got;
}

static int receive_batch(dg_socket *s, unsigned wanted)
{
    if (s->rx.batch == NULL)
        s->rx.batch = dg_state_take_arena(s->state);
    if (s->rx.batch == NULL)
        return -ENOMEM;
    s->rx.calls++;
    if (s->family == AF_UNIX)
        return receive_large(s);
    return dg_os_receive(s->fd, s->rx.batch, wanted, &s->tx.transmitter.offloads, &s->rx.asked);
}

/* Turns UDP_GRO on after a receive that found several datagrams. It costs too much for sockets that never do. */
static void coalesce_if_it_pays(dg_socket *s, int got)
{
    if (got >= ENOUGH_FOR_GRO && s->tx.transmitter.offloads.can_coalesce)
        dg_os_coalesce(s->fd, &s->tx.transmitter.offloads);
}

/* Returns how many slots a receive may offer, by the length of what the first slot holds. */
static unsigned most_slots(const dg_socket *s)
{
    uint32_t length = dg_arena_slot(s->rx.batch, 0)->length;
    return length > MOST_BYTES / DG_SLOTS ? MOST_BYTES / length : DG_SLOTS;
}

int dg_batch_update_want(dg_socket *s, unsigned got)
{
    unsigned most = got != 0 ? most_slots(s) : DG_SLOTS;
    int full = got == s->rx.want;
    if (s->rx.moderated)
        s->rx.want = (unsigned char)most;
    else if (got != 0)
        s->rx.want = (unsigned char)(!full ? got : 2 * got < most ? 2 * got : most);
    return full && got > 1 && !s->rx.moderated;
}

int dg_batch_receive(dg_socket *s)
{
    int got = receive_batch(s, s->rx.want);
    coalesce_if_it_pays(s, got);
    s->rx.batch_at = s->rx.batch_offset = 0;
    s->rx.batch_count = got > 0 ? (unsigned)got : 0;
    if (got == -EAGAIN || got == -EWOULDBLOCK) {
        s->rx.has_strangers = 0;
        return 0;
    }
    return got;
}

/* Returns how many datagrams the slot has from the cursor on. */
static unsigned datagrams_left(const dg_socket *s, const dg_received *slot)
{
    return slot->segment == 0 ? 1 : (slot->length - s->rx.batch_offset + slot->segment - 1) / slot->segment;
}

/* Counts the datagrams that are left of the slot, and moves the cursor past them. */
static void skip_slot(dg_socket *s, const dg_received *slot, uint64_t *counter)
{
    *counter += datagrams_left(s, slot);
    s->rx.handed++;
    s->rx.batch_offset = 0;
    s->rx.batch_at++;
}

void dg_batch_skip_refused(dg_socket *s)
{
    while (dg_batch_left(s)) {
        const dg_received *slot = dg_arena_slot(s->rx.batch, s->rx.batch_at);
        if (s->rx.has_strangers && !dg_address_same(&slot->from, s->peer.address))
            skip_slot(s, slot, &s->rx.strangers);
        else if (s->rx.block_list != NULL && s->rx.batch_offset == 0 && dg_blocklist_has(s->rx.block_list, &slot->from))
            skip_slot(s, slot, &s->rx.blocked);
        else
            return;
    }
}
