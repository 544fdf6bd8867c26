/* SPDX-License-Identifier: MIT */
#include "batch.h"

#include <errno.h>

enum {
    MOST_BYTES = 256 * 1024, /* of a batch: more would leave the CPU's cache before it is delivered */
    MOST_LISTED = 64 * 1024, /* likewise, where `batch` has all of its strings at a time */
    STRING_BYTES = 64,       /* of a string beside its text, and of its places in the lists */
    LEAST_SLOTS = 2,         /* of a receive: a slot in vain costs less than waking up for a second datagram */
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
    const dg_received *first = dg_arena_slot(s->rx.batch, 0);
    uint32_t bytes = first->length, most = MOST_BYTES;
    if (s->rx.receiving & DG_TAKES_LISTS) {
        bytes += STRING_BYTES * dg_batch_datagrams(first, 0);
        most = MOST_LISTED;
    }
    if (bytes <= most / DG_SLOTS)
        return DG_SLOTS;
    return bytes < most ? most / bytes : 1;
}

int dg_batch_update_want(dg_socket *s, unsigned got)
{
    if (got == 0)
        return 0;
    const int full = got == s->rx.want;
    unsigned want = s->rx.moderated ? DG_SLOTS : full ? 2 * got : got;
    if (want > LEAST_SLOTS) {
        const unsigned most = most_slots(s);
        want = want < most ? want : most;
    }
    s->rx.want = (unsigned char)(want > LEAST_SLOTS ? want : LEAST_SLOTS);
    return full && got > 1 && !s->rx.moderated;
}

int dg_batch_receive(dg_socket *s)
{
    int got = receive_batch(s, s->rx.want);
    coalesce_if_it_pays(s, got);
    s->rx.batch_at = s->rx.batch_offset = s->rx.announced = 0;
    s->rx.batch_count = got > 0 ? (unsigned char)got : 0;
    if (got == -EAGAIN || got == -EWOULDBLOCK) {
        s->rx.has_strangers = 0;
        return 0;
    }
    return got;
}

void dg_batch_pass_slot(dg_socket *s)
{
    const dg_received *slot = dg_arena_slot(s->rx.batch, s->rx.batch_at);
    unsigned count = dg_batch_datagrams(slot, s->rx.batch_offset);
    s->rx.messages += count;
    s->rx.handed += count;
    s->rx.bytes += slot->length - s->rx.batch_offset;
    s->rx.truncated += slot->truncated ? count : 0;
    s->rx.batch_offset = 0;
    s->rx.batch_at++;
}

/* Returns the counter of the reason to refuse what a slot has from an offset on, or NULL. */
static uint64_t *refusal(dg_socket *s, const dg_received *slot, uint32_t offset)
{
    if (s->rx.has_strangers && !dg_address_same(&slot->from, s->peer.address))
        return &s->rx.strangers;
    if (s->rx.block_list != NULL && offset == 0 && dg_blocklist_has(s->rx.block_list, &slot->from))
        return &s->rx.blocked;
    return NULL;
}

static void count_refused(dg_socket *s, const dg_received *slot, uint32_t offset, uint64_t *counter)
{
    *counter += dg_batch_datagrams(slot, offset);
    s->rx.handed++;
}

void dg_batch_skip_refused(dg_socket *s)
{
    while (dg_batch_left(s)) {
        const dg_received *slot = dg_arena_slot(s->rx.batch, s->rx.batch_at);
        uint64_t *counter = refusal(s, slot, s->rx.batch_offset);
        if (counter == NULL)
            return;
        count_refused(s, slot, s->rx.batch_offset, counter);
        s->rx.batch_offset = 0;
        s->rx.batch_at++;
    }
}

void dg_batch_remove_refused(dg_socket *s)
{
    unsigned kept;
    dg_batch_skip_refused(s);
    if (s->rx.block_list == NULL && !s->rx.has_strangers)
        return;
    kept = s->rx.batch_at + 1; /* the first slot has passed, if there is one */
    for (unsigned i = kept; i < s->rx.batch_count; i++) {
        const dg_received *slot = dg_arena_slot(s->rx.batch, i);
        uint64_t *counter = refusal(s, slot, 0);
        if (counter != NULL)
            count_refused(s, slot, 0, counter);
        else
            *dg_arena_slot(s->rx.batch, kept++) = *slot;
    }
    if (kept < s->rx.batch_count)
        s->rx.batch_count = (unsigned char)kept;
}
