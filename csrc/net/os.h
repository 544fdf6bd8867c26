/* SPDX-License-Identifier: MIT */
/* Batches of datagrams to and from the kernel: one header, and one file for each kind of system (os_linux.c,
 * os_posix.c). It knows nothing of queues, sockets' states or Lua. */
#ifndef DG_NET_OS_H
#define DG_NET_OS_H

#include <stdint.h>

#include "ancillary.h"
#include "route.h"

DG_HIDDEN_BEGIN

enum {
    DG_BATCH = 64,               /* messages in one send call */
    DG_SLOTS = 32,               /* slots in one receive call */
    DG_SLOT_BYTES = 65536,       /* holds any UDP datagram, and any GRO batch */
    DG_MOST_SEGMENTS = 128,      /* datagrams in one segmented send, which newer kernels take */
    DG_SAFE_SEGMENTS = 64,       /* datagrams that every kernel with UDP_SEGMENT takes */
    DG_MAX_PAYLOAD_IPV4 = 65507, /* bytes in one send over IPv4 (and to mapped peers); IPv6 takes 20 more */
};

/* Which offloads the kernel has for the socket. dg_os_offloads finds out; transmit.c turns off what fails. */
typedef struct dg_offloads {
    unsigned char segments;     /* UDP_SEGMENT: datagrams in one send at most, 0 without */
    unsigned char coalesce;     /* UDP_GRO is on: every receive must ask for the segment size */
    unsigned char can_coalesce; /* UDP_GRO is off, and dgram may turn it on */
    unsigned char shared;       /* others have the descriptor, too, and may turn UDP_GRO on: ask for the segment size */
} dg_offloads;

/* Finds out which offloads the kernel has for the descriptor of a UDP socket. Changes nothing and never fails: at worst
 * there are none. */
void dg_os_offloads(int fd, dg_offloads *out);
/* Turns UDP_GRO on where the kernel has it. Not every socket should have it: for the first such socket of the system,
 * and again when the last one is closed, Linux patches its own code on all CPUs. That costs ten times as much as making
 * a socket. */
void dg_os_coalesce(int fd, dg_offloads *out);

/* Has the kernel keep ICMP errors of all datagrams that the descriptor sends (error_queue.h). Returns 0, -ENOTSUP where
 * the system or the family has none, or another negative errno. */
int dg_os_hear_errors(int fd, int family);

/* One message: a datagram, or (segment != 0) a GSO batch of datagrams of `segment` bytes each; the last may be
 * shorter. */
typedef struct dg_outgoing {
    const char *data;
    uint32_t length;
    uint32_t segment;
    const dg_route *route;
} dg_outgoing;

/* Sends the first of `count` messages (at most DG_BATCH) and as many of the following as the kernel takes in one call.
 * Returns how many it took (1 or more), or the negative errno of the first: -ENOTSUP where the system has no options
 * for single datagrams. Never returns -EINTR. */
int dg_os_send(int fd, const dg_outgoing *out, unsigned count);

/* Memory to receive into: DG_SLOTS slots, of which only the used ones are touched. */
typedef struct dg_arena dg_arena;

/* Makes an arena, or returns NULL without memory. */
dg_arena *dg_arena_new(void);
void dg_arena_free(dg_arena *arena);

/* What one slot holds after a receive: a datagram, or a GRO batch of datagrams from one sender, of `segment` bytes
 * each; the last may be shorter. */
typedef struct dg_received {
    const char *data;
    uint32_t length;
    uint32_t segment;
    int truncated;   /* the kernel cut it, or something that was asked for has found no room */
    int control_cut; /* dg_os_receive_large: it had brought descriptors, which the kernel has closed */
    dg_address from;
    dg_ancillary with; /* what came with it; only set where something was asked for */
} dg_received;

/* Has the kernel tell a set (dg_ask) with each datagram that the descriptor receives. Returns 0, -ENOTSUP where the
 * system or the family does not tell it, or another negative errno; *out is only changed if it returns 0. */
int dg_os_ask(int fd, int family, unsigned set, dg_asked *out);

/* Receives into the first slots of the arena, at most `want` (1 .. DG_SLOTS), without waiting. Where UDP_GRO is off for
 * certain, and nothing was asked for, it offers no room for control messages, which makes a lone datagram cheaper.
 * Returns how many slots are filled, or a negative errno. Never returns -EINTR. */
int dg_os_receive(int fd, dg_arena *arena, unsigned want, const dg_offloads *offloads, const dg_asked *asked);
/* Receives one datagram into the first slot, which has the whole arena (2 MiB) for it. Returns 1 or a negative errno.
 */
int dg_os_receive_large(int fd, dg_arena *arena, const dg_asked *asked);
dg_received *dg_arena_slot(dg_arena *arena, unsigned i);

DG_HIDDEN_END

#endif
