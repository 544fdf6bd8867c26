/* SPDX-License-Identifier: MIT */
/* From the queue to the kernel: makes runs for segmented sends, goes on after short counts, gives each datagram its own
 * verdict, and takes offloads back that fail. Calls nobody back; verdicts stay in the queue for its owner to report. */
#ifndef DG_NET_TRANSMIT_H
#define DG_NET_TRANSMIT_H

#include "os.h"
#include "queue.h"

DG_HIDDEN_BEGIN

typedef struct dg_transmitter {
    dg_offloads offloads;
    uint32_t single;          /* waiting datagrams from the front that must go singly: their batch was refused */
    unsigned char hears_late; /* ICMP errors come late; a Unix socket's errors are the datagram's own */
    int deferred_error;       /* an error that may be an earlier datagram's: the next call tells */
    int late_error;           /* an error that belonged to an earlier datagram (ICMP), for the owner to take */
    uint64_t calls, datagrams, bytes, errors;
} dg_transmitter;

typedef enum dg_transmit_status {
    DG_TRANSMIT_EMPTY,   /* everything was handed over, or has failed */
    DG_TRANSMIT_BLOCKED, /* the kernel takes no more now: wait until the descriptor is writable */
} dg_transmit_status;

dg_transmit_status dg_transmit(dg_transmitter *transmitter, dg_queue *queue, int fd);

DG_HIDDEN_END

#endif
