/* SPDX-License-Identifier: MIT */
#include "transmit.h"

#include <errno.h>
#include <string.h>

enum {
    ENOUGH_REFUSALS = 3,   /* trains refused with EIO before the socket stops trying */
    REFUSED_FOR = 100000,  /* datagrams; a route may change, and trying again costs one failed call */
};

/* A message in the making: so many of the queue's datagrams. */
typedef struct run {
    unsigned count;
    size_t bytes;
} run;

static int may_segment(const dg_transmitter *transmitter, const dg_address *to, const dg_entry *first)
{
    if (!transmitter->offloads.segment || first->length == 0 || first->length > UINT16_MAX)
        return 0;
    return transmitter->refused_for == 0 || !dg_address_equal(to, &transmitter->refused);
}

/* Segments of one send are equal but for the last, which may be shorter; none is empty. */
static run longest_run(const dg_transmitter *transmitter, const dg_queue *queue, size_t at, size_t waiting)
{
    const dg_entry *first = dg_queue_waiting(queue, at);
    run found = {1, first->length};
    if (at < transmitter->single || !may_segment(transmitter, dg_queue_route(queue, first), first))
        return found;
    while (at + found.count < waiting && found.count < DG_MAX_SEGMENTS) {
        const dg_entry *entry = dg_queue_waiting(queue, at + found.count);
        if (entry->route != first->route || entry->length > first->length || entry->length == 0 ||
            found.bytes + entry->length > DG_MAX_PAYLOAD_IN)
            break;
        found.count++;
        found.bytes += entry->length;
        if (entry->length < first->length)
            break;
    }
    return found;
}

/* Lays out up to DG_BATCH messages; counts[i] is how many datagrams message i carries. */
static unsigned lay_out(const dg_transmitter *transmitter, const dg_queue *queue, dg_outgoing *out, unsigned *counts)
{
    size_t waiting = dg_queue_count(queue), at = 0;
    const char *data = dg_fifo_first(&queue->payload);
    unsigned messages = 0;
    while (messages < DG_BATCH && at < waiting) {
        const dg_entry *first = dg_queue_waiting(queue, at);
        run next = longest_run(transmitter, queue, at, waiting);
        out[messages].data = data;
        out[messages].length = (uint32_t)next.bytes;
        out[messages].segment = next.count > 1 ? first->length : 0;
        out[messages].to = dg_queue_route(queue, first);
        counts[messages++] = next.count;
        data += next.bytes;
        at += next.count;
    }
    return messages;
}

static void settle(dg_transmitter *transmitter, dg_queue *queue, int error)
{
    if (error == 0) {
        transmitter->datagrams++;
        transmitter->bytes += dg_queue_waiting(queue, 0)->length;
    } else {
        transmitter->errors++;
    }
    if (transmitter->refused_for != 0)
        transmitter->refused_for--;
    dg_queue_done(queue, error);
}

/* The datagrams of a refused train all went singly: so the train was to blame, not one of them. EIO is what a route that
 * cannot segment says; elsewhere only this destination is suspected (its MTU may be small). */
static void blame_segmentation(dg_transmitter *transmitter)
{
    transmitter->refused_for = REFUSED_FOR;
    if (transmitter->train_error == -EIO && ++transmitter->refusals >= ENOUGH_REFUSALS)
        transmitter->offloads.segment = 0;
}

static void settle_single(dg_transmitter *transmitter, dg_queue *queue, int error)
{
    settle(transmitter, queue, error);
    if (transmitter->single == 0)
        return;
    if (error != 0)
        transmitter->train_error = 0; /* a datagram was bad by itself: nothing is proved */
    if (--transmitter->single == 0 && transmitter->train_error != 0)
        blame_segmentation(transmitter);
}

/* What an ICMP message about an earlier datagram leaves on a connected socket (udp(7), ip(7)). */
static int may_be_late(int error)
{
    return error == -ECONNREFUSED || error == -EHOSTUNREACH || error == -ENETUNREACH || error == -ENOPROTOOPT ||
           error == -EHOSTDOWN || error == -EPROTO;
}

/* The first message failed. A train is tried again as single datagrams; so is a single datagram whose error may be an
 * earlier one's: the kernel reports that once, and a second failure is its own. */
static void take_refusal(dg_transmitter *transmitter, dg_queue *queue, int fd, const dg_outgoing *out, unsigned count,
                         int error)
{
    if (count > 1) {
        transmitter->single = count;
        transmitter->train_error = error;
        transmitter->refused = *out->to;
        return;
    }
    if (may_be_late(error)) {
        int again = dg_os_send(fd, out, 1);
        transmitter->calls++;
        if (again == -EAGAIN || again == -EWOULDBLOCK) {
            transmitter->late_error = error;
            return;
        }
        if (again > 0)
            transmitter->late_error = error;
        error = again > 0 ? 0 : again;
    }
    settle_single(transmitter, queue, error);
}

dg_transmit_status dg_transmit(dg_transmitter *transmitter, dg_queue *queue, int fd)
{
    dg_outgoing out[DG_BATCH];
    unsigned counts[DG_BATCH];
    while (dg_queue_count(queue) != 0) {
        unsigned messages = lay_out(transmitter, queue, out, counts);
        int sent = dg_os_send(fd, out, messages);
        transmitter->calls++;
        if (sent == -EAGAIN || sent == -EWOULDBLOCK)
            return DG_TRANSMIT_BLOCKED;
        if (sent < 0)
            take_refusal(transmitter, queue, fd, &out[0], counts[0], sent);
        for (int i = 0; i < sent; i++)
            for (unsigned j = 0; j < counts[i]; j++)
                settle_single(transmitter, queue, 0);
    }
    return DG_TRANSMIT_EMPTY;
}
