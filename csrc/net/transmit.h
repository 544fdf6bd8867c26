/* SPDX-License-Identifier: MIT */
/* From the queue to the kernel: makes GSO batches, goes on after short counts, stores each datagram's own result in the
 * queue, and turns off offloads that fail. It calls nobody back: the queue's owner reports the results. */
#ifndef DG_NET_TRANSMIT_H
#define DG_NET_TRANSMIT_H

#include "os.h"
#include "queue.h"

DG_HIDDEN_BEGIN

_Static_assert(DG_MOST_SEGMENTS <= 255 && DG_SLOTS <= 255, "counts of them are unsigned char");

/* Which errors of a send may be an earlier datagram's, which an ICMP message has told: none, as on a Unix socket; those
 * that every connected socket hears; all that there are (IP_RECVERR, ip(7)). */
enum dg_hears_late { DG_HEARS_NONE, DG_HEARS_HARD, DG_HEARS_ALL };

typedef struct dg_transmitter {
    dg_offloads offloads;
    unsigned char single;     /* so many waiting datagrams from the front go singly, because their GSO batch failed */
    unsigned char hears_late; /* dg_hears_late */
    int deferred_error;       /* an error that may be an earlier datagram's: the next call will show whose */
    int late_error;           /* an error that was an earlier datagram's, for the owner to take */
    uint64_t calls, datagrams, bytes, errors;
} dg_transmitter;

typedef enum dg_transmit_status {
    DG_TRANSMIT_EMPTY,   /* all datagrams were sent, or failed */
    DG_TRANSMIT_BLOCKED, /* the kernel takes no more now */
} dg_transmit_status;

/* Returns whether an ICMP message about an earlier datagram may have left this error on the socket (udp(7), ip(7)). */
int dg_transmit_may_be_late(const dg_transmitter *transmitter, int error);
/* Sends what waits in the queue, as far as the kernel takes it. */
dg_transmit_status dg_transmit(dg_transmitter *transmitter, dg_queue *queue, int fd);

DG_HIDDEN_END

#endif
