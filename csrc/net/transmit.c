/* SPDX-License-Identifier: MIT */
#include "transmit.h"

#include <errno.h>
#include <string.h>

/* A message: one or more of the queue's datagrams. */
typedef struct message {
    unsigned count;
    size_t bytes;
} message;

/* Returns the longest message from waiting datagram `at` on. The segments of a GSO batch have one length, but the last
 * may be shorter; none is empty. */
static message longest_message(const dg_transmitter *transmitter, const dg_queue *queue, size_t at, size_t waiting)
{
    const dg_entry *first = dg_queue_waiting(queue, at);
    message found = {1, first->length};
    if (at < transmitter->single || transmitter->offloads.segments == 0 || first->length == 0)
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

/* Lays out up to DG_BATCH messages; message i has counts[i] datagrams. Returns how many messages. */
static unsigned lay_out(const dg_transmitter *transmitter, const dg_queue *queue, dg_outgoing *out, unsigned *counts)
{
    size_t waiting = dg_queue_count(queue), at = 0;
    const char *data = dg_fifo_first(&queue->payload);
    unsigned messages = 0;
    while (messages < DG_BATCH && at < waiting) {
        const dg_entry *first = dg_queue_waiting(queue, at);
        if (first->error != 0)
            break;
        message next = longest_message(transmitter, queue, at, waiting);
        out[messages].data = data;
        out[messages].length = (uint32_t)next.bytes;
        out[messages].segment = next.count > 1 ? first->length : 0;
        out[messages].route = dg_queue_route(queue, first);
        counts[messages++] = next.count;
        data += next.bytes;
        at += next.count;
    }
    return messages;
}

/* So many datagrams of a failed GSO batch, from its front, were sent or failed singly. */
static void count_singles(dg_transmitter *transmitter, unsigned count)
{
    transmitter->single = (unsigned char)(transmitter->single < count ? 0 : transmitter->single - count);
}

static void mark_failed(dg_transmitter *transmitter, dg_queue *queue, int error)
{
    transmitter->errors++;
    dg_queue_failed(queue, error);
    count_singles(transmitter, 1);
}

/* The first `sent` messages of `out` were sent; message i has counts[i] datagrams. */
static void mark_sent(dg_transmitter *transmitter, dg_queue *queue, const dg_outgoing *out, const unsigned *counts,
                      unsigned sent)
{
    unsigned datagrams = 0;
    size_t bytes = 0;
    for (unsigned i = 0; i < sent; i++) {
        datagrams += counts[i];
        bytes += out[i].length;
    }
    transmitter->datagrams += datagrams;
    transmitter->bytes += bytes;
    dg_queue_sent(queue, datagrams, bytes);
    count_singles(transmitter, datagrams);
}

/* ICMP "network unknown"; the BSDs have no number for it. */
static int is_no_net(int error)
{
#if defined(ENONET)
    return error == -ENONET;
#else
    (void)error;
    return 0;
#endif
}

int dg_transmit_may_be_late(const dg_transmitter *transmitter, int error)
{
    if (transmitter->hears_late == DG_HEARS_NONE)
        return 0;
    if (transmitter->hears_late == DG_HEARS_ALL &&
        (error == -EMSGSIZE || error == -EACCES || error == -EOPNOTSUPP || is_no_net(error)))
        return 1;
    return error == -ECONNREFUSED || error == -EHOSTUNREACH || error == -ENETUNREACH || error == -ENOPROTOOPT ||
           error == -EHOSTDOWN || error == -EPROTO;
}

static int is_blocked(int status)
{
    return status == -EAGAIN || status == -EWOULDBLOCK;
}

/* A segmented send failed. That proves nothing about its datagrams, so they are sent again and none is lost. EIO comes
 * from a route that cannot segment: then the socket never segments again. EINVAL may mean that the batch was too long
 * for this kernel: then shorter batches follow; but with options it may be the source address's, and proves nothing.
 * After any other error its datagrams go singly. */
static void handle_gso_error(dg_transmitter *transmitter, const dg_route *route, unsigned count, int error)
{
    if (error == -EINVAL && count > DG_SAFE_SEGMENTS && route->options.set == 0) {
        transmitter->offloads.segments = DG_SAFE_SEGMENTS;
        return;
    }
    if (error == -EIO)
        transmitter->offloads.segments = 0;
    transmitter->single = (unsigned char)count; /* DG_MOST_SEGMENTS at most */
}

/* The first message failed. The kernel reports an earlier datagram's error only once. So the message is sent again; if
 * it fails again, the error is its own. */
static void handle_error(dg_transmitter *transmitter, dg_queue *queue, unsigned count, int error)
{
    if (transmitter->deferred_error == 0 && dg_transmit_may_be_late(transmitter, error)) {
        transmitter->deferred_error = error;
        return;
    }
    /* If the errors differ, the first one was not the message's. */
    if (transmitter->deferred_error != 0 && transmitter->deferred_error != error)
        transmitter->late_error = transmitter->deferred_error;
    transmitter->deferred_error = 0;
    if (count > 1)
        handle_gso_error(transmitter, dg_queue_route(queue, dg_queue_waiting(queue, 0)), count, error);
    else
        mark_failed(transmitter, queue, error);
}

/* The kernel took a message, or had no room for it. So the error before that was an earlier datagram's. */
static void clear_deferred_error(dg_transmitter *transmitter)
{
    if (transmitter->deferred_error != 0)
        transmitter->late_error = transmitter->deferred_error;
    transmitter->deferred_error = 0;
}

/* Handles the result of a system call: `sent` messages, or a negative errno. Returns whether the kernel takes no more
 * now. */
static int handle_result(dg_transmitter *transmitter, dg_queue *queue, const dg_outgoing *out, const unsigned *counts,
                         int sent)
{
    transmitter->calls++;
    if (sent > 0 || is_blocked(sent))
        clear_deferred_error(transmitter);
    if (is_blocked(sent))
        return 1;
    if (sent > 0)
        mark_sent(transmitter, queue, out, counts, (unsigned)sent);
    else if (sent < 0)
        handle_error(transmitter, queue, counts[0], sent);
    return 0;
}

/* Sends a lone datagram, as most answers are. Returns what handle_result does. */
static int transmit_one(dg_transmitter *transmitter, dg_queue *queue, int fd)
{
    const dg_entry *first = dg_queue_waiting(queue, 0);
    const dg_outgoing out = {dg_fifo_first(&queue->payload), first->length, 0, dg_queue_route(queue, first)};
    const unsigned count = 1;
    if (first->error == 0)
        return handle_result(transmitter, queue, &out, &count, dg_os_send(fd, &out, 1));
    mark_failed(transmitter, queue, first->error);
    return 0;
}

/* Sends as many datagrams as fit into one system call. Returns what handle_result does. */
static int transmit_several(dg_transmitter *transmitter, dg_queue *queue, int fd)
{
    dg_outgoing out[DG_BATCH];
    unsigned counts[DG_BATCH], messages = lay_out(transmitter, queue, out, counts);
    if (messages != 0)
        return handle_result(transmitter, queue, out, counts, dg_os_send(fd, out, messages));
    mark_failed(transmitter, queue, dg_queue_waiting(queue, 0)->error);
    return 0;
}

dg_transmit_status dg_transmit(dg_transmitter *transmitter, dg_queue *queue, int fd)
{
    size_t waiting;
    while ((waiting = dg_queue_count(queue)) != 0)
        if (waiting == 1 ? transmit_one(transmitter, queue, fd) : transmit_several(transmitter, queue, fd))
            return DG_TRANSMIT_BLOCKED;
    return DG_TRANSMIT_EMPTY;
}
