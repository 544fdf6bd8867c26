/* SPDX-License-Identifier: MIT */
/* The send queue of one socket: payloads laid end to end, an entry for each datagram, a route for each change of
 * destination or options. So datagrams of one length on one route are a GSO batch already, without a copy.
 *
 *     entries:   reported | done, to be reported | waiting for the kernel |
 *                         ^ reported             ^ next                   ^ end
 *
 * It sends nothing (transmit.h does) and calls nobody back. */
#ifndef DG_NET_QUEUE_H
#define DG_NET_QUEUE_H

#include <stdint.h>

#include "fifo.h"
#include "route.h"

DG_HIDDEN_BEGIN

typedef struct dg_entry {
    uint32_t length; /* bytes of the datagram */
    uint32_t tag;    /* the callback tag of its owner; 0: nobody is called on success */
    uint32_t route;  /* serial of its route */
    int error; /* of a done datagram: 0 or a negative errno; of a waiting one: it was refused, and has no payload */
} dg_entry;

typedef struct dg_queue {
    dg_fifo payload;      /* of the waiting datagrams */
    dg_fifo entries;      /* dg_entry */
    dg_fifo routes;       /* dg_route */
    dg_fifo *spare;       /* a payload block that the sockets of a state share: whoever needs it takes it */
    uint32_t next;        /* entries from the front that are done */
    uint32_t reported;    /* of the done entries: how many from the front are reported, and wait to be dropped */
    uint32_t to_report;   /* of the done entries: how many have a callback tag or an error */
    uint32_t refused;     /* of the other entries: how many were refused, and wait for their report only */
    uint32_t first_route; /* serial of the first route in `routes` */
    uint32_t end_route;   /* serial of the next new route */
    /* The credit: what dg_queue_append may still queue. The owner grants it, and whatever else changes the queue's end
     * revokes it. The last route has no options then. */
    uint32_t credit_bytes, credit_count;
} dg_queue;

void dg_queue_init(dg_queue *queue, dg_fifo *spare);
void dg_queue_free(dg_queue *queue);

/* Makes room for a datagram of `length` bytes. Returns where to write it, or NULL without memory. dg_queue_push or
 * dg_queue_refuse queues it then, and cannot fail. */
char *dg_queue_reserve(dg_queue *queue, size_t length);
/* Queues the datagram that was written there. */
void dg_queue_push(dg_queue *queue, size_t length, const dg_route *route, uint32_t tag);
/* Queues a datagram that will not be sent (room for 0 bytes is enough), so that its error is reported in its turn. */
void dg_queue_refuse(dg_queue *queue, size_t length, const dg_route *route, uint32_t tag, int error);

/* Grants credit for so much, or for as much of it as needs no memory, but none behind a route with options; and
 * revokes it. */
void dg_queue_grant(dg_queue *queue, size_t bytes, size_t count);
static inline void dg_queue_revoke(dg_queue *queue)
{
    queue->credit_bytes = queue->credit_count = 0;
}
static inline int dg_queue_has_credit(const dg_queue *queue, size_t length);
/* Queues a datagram for which there is credit: dg_queue_reserve and dg_queue_push without what may fail. Returns
 * whether there is credit for another one like it. */
static inline int dg_queue_append(dg_queue *queue, const char *data, size_t length, const dg_inet *to, uint32_t tag);

/* Returns how many datagrams wait for the kernel, those that were refused included; and their bytes. */
static inline size_t dg_queue_count(const dg_queue *queue)
{
    return dg_fifo_size(&queue->entries) / sizeof(dg_entry) - queue->next;
}
static inline size_t dg_queue_bytes(const dg_queue *queue)
{
    return dg_fifo_size(&queue->payload);
}
/* Returns the i-th waiting entry, and an entry's route. */
static inline dg_entry *dg_queue_waiting(const dg_queue *queue, size_t i)
{
    return (dg_entry *)dg_fifo_first(&queue->entries) + queue->next + i;
}
const dg_route *dg_queue_route(const dg_queue *queue, const dg_entry *entry);
/* Gives datagrams that were queued for the connected peer this address. */
void dg_queue_name_peer(dg_queue *queue, const dg_address *peer);
/* Notes that the first waiting datagram failed, with a negative errno. */
void dg_queue_failed(dg_queue *queue, int error);
/* Gives up all that wait: each fails with this error. With `silent`, those without a callback tag are not reported.
 * Returns how many there were that had not been refused before. */
size_t dg_queue_give_up(dg_queue *queue, int error, int silent);
/* Returns how many datagrams to an address wait; stores their bytes. Their routes have no options. */
size_t dg_queue_count_to(const dg_queue *queue, const dg_address *to, size_t *bytes);
/* Moves these to the end of another queue, in which dg_queue_make_room has made room for them. `renamed` returns the
 * tag that stands for a callback in the other queue. */
void dg_queue_move(dg_queue *queue, const dg_address *to, dg_queue *other,
                   uint32_t (*renamed)(void *context, uint32_t tag), void *context);
/* Makes room for so many datagrams of so many bytes together, to one destination. Returns 0 or -ENOMEM. */
int dg_queue_make_room(dg_queue *queue, size_t count, size_t bytes);
/* Notes that the kernel took the first `count` waiting datagrams, of `bytes` together. */
void dg_queue_sent(dg_queue *queue, size_t count, size_t bytes);

static inline int dg_queue_has_credit(const dg_queue *queue, size_t length)
{
    return length <= queue->credit_bytes && queue->credit_count != 0;
}

static inline int dg_queue_append(dg_queue *queue, const char *data, size_t length, const dg_inet *to, uint32_t tag)
{
    dg_route *route = (dg_route *)(void *)(queue->routes.block + queue->routes.tail);
    dg_entry *entry = (dg_entry *)(void *)(queue->entries.block + queue->entries.tail);
    if (queue->end_route == queue->first_route || !dg_inet_equal(to, &route[-1].to)) {
        dg_inet_load(&route->to, to);
        route->options.set = 0;
        dg_fifo_commit(&queue->routes, sizeof *route);
        queue->end_route++;
        if (!dg_fifo_has_room(&queue->routes, sizeof *route))
            queue->credit_count = 1; /* the next one may need a route, too */
    }
    memcpy(queue->payload.block + queue->payload.tail, data, length);
    dg_fifo_commit(&queue->payload, length);
    *entry = (dg_entry){(uint32_t)length, tag, queue->end_route - 1, 0};
    dg_fifo_commit(&queue->entries, sizeof *entry);
    queue->credit_bytes -= (uint32_t)length;
    queue->credit_count--;
    return dg_queue_has_credit(queue, length);
}

/* Returns the next done entry that has something to report, or NULL. Entries that have nothing are skipped. */
static inline dg_entry *dg_queue_report(dg_queue *queue);
/* Marks the entry that dg_queue_report returned as reported. */
void dg_queue_reported(dg_queue *queue);

static inline dg_entry *dg_queue_report(dg_queue *queue)
{
    dg_entry *entry = (dg_entry *)dg_fifo_first(&queue->entries) + queue->reported;
    for (; queue->reported < queue->next; queue->reported++, entry++)
        if (entry->tag != 0 || entry->error != 0)
            return entry;
    return NULL;
}

DG_HIDDEN_END

#endif
