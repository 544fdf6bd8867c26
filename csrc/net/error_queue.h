/* SPDX-License-Identifier: MIT */
/* The error queue of a UDP socket (ip(7), ipv6(7): IP_RECVERR, IPV6_RECVERR): what ICMP messages told of its datagrams.
 * Whether the kernel keeps one is decided by dg_os_hear_errors (os.h). */
#ifndef DG_NET_ERROR_QUEUE_H
#define DG_NET_ERROR_QUEUE_H

#include <stdint.h>

#include "address.h"

DG_HIDDEN_BEGIN

typedef struct dg_icmp_error {
    int error;           /* a negative errno */
    dg_address to;       /* where the datagram was to go */
    dg_address offender; /* who sent the ICMP message; length 0: unknown */
    unsigned type, code; /* of the message: ICMPv6's for an IPv6 destination */
    uint32_t mtu;        /* bytes of the longest packet that passes; 0: the message does not say */
} dg_icmp_error;

/* Has the kernel keep a queue for the descriptor, for both families on an IPv6 socket. Returns 0, -ENOTSUP or another
 * negative errno. */
int dg_error_queue_turn_on(int fd, int family);
/* Takes the next ICMP error out of the queue. What else is in it is passed over: the kernel's own refusals, which the
 * send reports as well, and timestamps. Returns 1, 0 where the queue is empty, or a negative errno. */
int dg_error_queue_take(int fd, dg_icmp_error *out);

DG_HIDDEN_END

#endif
