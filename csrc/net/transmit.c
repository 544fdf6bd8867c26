/* SPDX-License-Identifier: MIT */
#include "transmit.h"

#include <errno.h>
#include <string.h>

enum {
    ENOUGH_REFUSALS = 3,  /* trains refused with EIO before the socket stops trying */
    REFUSED_FOR = 100000, /* datagrams; a route may change, and trying again costs one failed call */
};

/* A message in the making: so many of the queue's datagrams. */
typedef struct run {
    unsigned count;
    size_t bytes;
} run;

static int may_segment(const dg_transmitter *transmitter, const dg_address *to, const dg_entry *first)
{
    if (transmitter->offloads.segments == 0 || first->length == 0)
        return 0;
    return transmitter->refused_for == 0 || to->length != transmitter->refused.length ||
           memcmp(&to->u, &transmitter->refused.u, to->length) != 0;
}

/* Segments of one send are equal but for the last, which may be shorter; none is empty. */
static run longest_run(const dg_transmitter *transmitter, const dg_queue *queue, size_t at, size_t waiting)
{
    const dg_entry *first = dg_queue_waiting(queue, at);
    run found = {1, first->length};
    if (at < transmitter->single || !may_segment(transmitter, dg_queue_route(queue, first), first))
        return found;
    size_t segments = transmitter->offloads.segments, most = waiting - at < segments ? waiting - at : segments;
    for (const dg_entry *entry = first + 1; found.count < most; entry++) {
        if (entry->error != 0 || entry->route != first->route || entry->length > first->length || entry->length == 0 ||
            found.bytes + entry->length > DG_MAX_PAYLOAD_IPV4)
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
        if (first->error != 0)
            break;
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

/* The datagrams of a refused train all went singly: so the train was to blame, not one of them. EIO is what a route
 * that cannot segment says; elsewhere only this destination is suspected (its MTU may be small). */
static void blame_segmentation(dg_transmitter *transmitter, const dg_address *to)
{
    dg_inet_store(&transmitter->refused, to);
    transmitter->refused_for = REFUSED_FOR;
    if (transmitter->train_error == -EIO && ++transmitter->refusals >= ENOUGH_REFUSALS)
        transmitter->offloads.segments = 0;
}

static void count_down(uint32_t *left, uint32_t by)
{
    *left -= *left < by ? *left : by;
}

/* `count` datagrams to one address (NULL on failure) have their verdict: of a refused train, perhaps. */
static void after_train(dg_transmitter *transmitter, const dg_address *to, unsigned count, int error)
{
    count_down(&transmitter->refused_for, count);
    if (transmitter->single == 0)
        return;
    if (error != 0)
        transmitter->train_error = 0; /* a datagram was bad by itself: nothing is proved */
    count_down(&transmitter->single, count);
    if (transmitter->single == 0 && transmitter->train_error != 0)
        blame_segmentation(transmitter, to);
}

DG_COLD static void settle_failed(dg_transmitter *transmitter, dg_queue *queue, int error)
{
    transmitter->errors++;
    dg_queue_failed(queue, error);
    after_train(transmitter, NULL, 1, error);
}

static void note_sent(dg_transmitter *transmitter, dg_queue *queue, unsigned count, size_t bytes)
{
    transmitter->datagrams += count;
    transmitter->bytes += bytes;
    dg_queue_sent(queue, count, bytes);
}

static void settle_single(dg_transmitter *transmitter, dg_queue *queue, const dg_outgoing *out, unsigned count)
{
    dg_address to; /* the route goes with its last datagram */
    dg_address_copy(&to, out->to);
    note_sent(transmitter, queue, count, out->length);
    after_train(transmitter, &to, count, 0);
}

/* The first `sent` messages of `out` went, which carry counts[i] datagrams each. */
static void settle_sent(dg_transmitter *transmitter, dg_queue *queue, const dg_outgoing *out, const unsigned *counts,
                        unsigned sent)
{
    unsigned i = 0, datagrams = 0;
    size_t bytes = 0;
    for (; i < sent && transmitter->single != 0; i++)
        settle_single(transmitter, queue, &out[i], counts[i]);
    for (; i < sent; i++) {
        datagrams += counts[i];
        bytes += out[i].length;
    }
    if (datagrams == 0)
        return;
    note_sent(transmitter, queue, datagrams, bytes);
    count_down(&transmitter->refused_for, datagrams);
}

/* What an ICMP message about an earlier datagram leaves on a connected socket (udp(7), ip(7)). */
static int may_be_late(int error)
{
    return error == -ECONNREFUSED || error == -EHOSTUNREACH || error == -ENETUNREACH || error == -ENOPROTOOPT ||
           error == -EHOSTDOWN || error == -EPROTO;
}

static int is_blocked(int status)
{
    return status == -EAGAIN || status == -EWOULDBLOCK;
}

/* The first message failed. An error that may be an earlier datagram's is reported by the kernel once: so the message
 * is sent again, and a second failure is its own. A long train that is invalid is tried again as shorter ones, in case
 * the kernel is an older one; a train that failed otherwise as single datagrams. */
DG_COLD static void take_refusal(dg_transmitter *transmitter, dg_queue *queue, unsigned count, int error)
{
    if (transmitter->hears_late && transmitter->suspect == 0 && may_be_late(error)) {
        transmitter->suspect = error;
        return;
    }
    if (transmitter->suspect != 0 && transmitter->suspect != error)
        transmitter->late_error = transmitter->suspect; /* another error now: that one was not this datagram's */
    transmitter->suspect = 0;
    if (count > DG_SAFE_SEGMENTS && error == -EINVAL) {
        transmitter->offloads.segments = DG_SAFE_SEGMENTS;
        transmitter->shortened = 1;
        return;
    }
    if (count > 1) {
        transmitter->single = count;
        transmitter->train_error = error;
        return;
    }
    settle_failed(transmitter, queue, error);
}

/* The kernel took something, or had no room: then an error before that was an earlier datagram's. */
static void clear_suspect(dg_transmitter *transmitter)
{
    if (transmitter->suspect != 0)
        transmitter->late_error = transmitter->suspect;
    transmitter->suspect = 0;
}

/* The call behind a long train's refusal: where a shorter one is refused, too, it was not for the length. */
static void judge_shortening(dg_transmitter *transmitter, int sent)
{
    if (transmitter->shortened && sent < 0 && transmitter->offloads.segments != 0)
        transmitter->offloads.segments = DG_MOST_SEGMENTS;
    transmitter->shortened = 0;
}

/* After a system call that sent `sent` of the messages, or failed. Returns whether the kernel takes no more now. */
static int take_answer(dg_transmitter *transmitter, dg_queue *queue, const dg_outgoing *out, const unsigned *counts,
                       int sent)
{
    transmitter->calls++;
    if (sent > 0 || is_blocked(sent))
        clear_suspect(transmitter);
    if (is_blocked(sent))
        return 1;
    judge_shortening(transmitter, sent);
    if (sent > 0)
        settle_sent(transmitter, queue, out, counts, (unsigned)sent);
    else if (sent < 0)
        take_refusal(transmitter, queue, counts[0], sent);
    return 0;
}

/* A lone datagram, as answers are. Returns what take_answer does. */
static int transmit_one(dg_transmitter *transmitter, dg_queue *queue, int fd)
{
    const dg_entry *first = dg_queue_waiting(queue, 0);
    const dg_outgoing out = {dg_fifo_first(&queue->payload), first->length, 0, dg_queue_route(queue, first)};
    const unsigned count = 1;
    if (first->error == 0)
        return take_answer(transmitter, queue, &out, &count, dg_os_send(fd, &out, 1));
    settle_failed(transmitter, queue, first->error);
    return 0;
}

/* As many as fit into one system call. Returns what take_answer does. */
DG_APART static int transmit_several(dg_transmitter *transmitter, dg_queue *queue, int fd)
{
    dg_outgoing out[DG_BATCH];
    unsigned counts[DG_BATCH], messages = lay_out(transmitter, queue, out, counts);
    if (messages != 0)
        return take_answer(transmitter, queue, out, counts, dg_os_send(fd, out, messages));
    settle_failed(transmitter, queue, dg_queue_waiting(queue, 0)->error);
    return 0;
}

int dg_transmit_at_once(dg_transmitter *transmitter, int fd, const dg_outgoing *out)
{
    int sent = dg_os_send(fd, out, 1);
    transmitter->calls++;
    if (sent > 0) {
        clear_suspect(transmitter);
        transmitter->datagrams++;
        transmitter->bytes += out->length;
        count_down(&transmitter->refused_for, 1);
    } else if (transmitter->hears_late && may_be_late(sent)) {
        transmitter->suspect = sent;
    }
    return sent > 0;
}

dg_transmit_status dg_transmit(dg_transmitter *transmitter, dg_queue *queue, int fd)
{
    size_t waiting;
    while ((waiting = dg_queue_count(queue)) != 0)
        if (waiting == 1 ? transmit_one(transmitter, queue, fd) : transmit_several(transmitter, queue, fd))
            return DG_TRANSMIT_BLOCKED;
    return DG_TRANSMIT_EMPTY;
}
