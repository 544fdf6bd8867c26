/* SPDX-License-Identifier: MIT */
/* Batches of datagrams to and from the kernel: one header, one file per system (os_linux.c, os_posix.c).
 * Knows nothing of queues, sockets' states or Lua. */
#ifndef DG_NET_OS_H
#define DG_NET_OS_H

#include <stdint.h>

#include "address.h"

DG_HIDDEN_BEGIN

enum {
    DG_BATCH = 64,               /* messages in one send call */
    DG_SLOTS = 32,               /* slots in one receive call */
    DG_SLOT_BYTES = 65536,       /* holds any UDP datagram, and any train of coalesced ones */
    DG_MOST_SEGMENTS = 128,      /* datagrams in one segmented send, with newer kernels */
    DG_SAFE_SEGMENTS = 64,       /* and of every kernel that has it */
    DG_MAX_PAYLOAD_IPV4 = 65507, /* bytes in one send over IPv4 (and to mapped peers); IPv6 takes 20 more */
};

/* What the kernel does for the socket; found out by dg_os_offloads, taken back when it fails. */
typedef struct dg_offloads {
    unsigned char segments;     /* UDP_SEGMENT: datagrams in one send at most, 0 without */
    unsigned char coalesce;     /* UDP_GRO is on: every receive must look at the slot's segment size */
    unsigned char can_coalesce; /* it is off, but the kernel has it */
    unsigned char shared;       /* others may have the descriptor, too, and turn it on: look at each segment size */
} dg_offloads;

/* Finds out whether the kernel can segment for the descriptor of a UDP socket, and whether that coalesces, or could.
 * Changes nothing, and never fails: at worst it has nothing. */
void dg_os_offloads(int fd, dg_offloads *out);
/* Turns coalescing on where the kernel has it. Not for every socket: where it is the first one of the system, Linux
 * rewrites code of its own, on all CPUs, and again when the last one is closed: ten times what else a socket costs. */
void dg_os_coalesce(int fd, dg_offloads *out);

/* One send: a datagram, or (segment != 0) several of `segment` bytes each, the last one perhaps shorter. */
typedef struct dg_outgoing {
    const char *data;
    uint32_t length;
    uint32_t segment;
    const dg_address *to; /* length 0: the connected peer */
} dg_outgoing;

/* Sends the first of `count` (at most DG_BATCH) and as many of the following as the kernel takes in one call.
 * Returns how many it took (1 or more), or the negative errno of the first. Never EINTR. */
int dg_os_send(int fd, const dg_outgoing *out, unsigned count);

/* Where datagrams are received into: memory for DG_SLOTS slots, touched only as far as it is used. */
typedef struct dg_arena dg_arena;

/* NULL without memory. */
dg_arena *dg_arena_new(void);
void dg_arena_free(dg_arena *arena);

/* What one slot holds after a receive: one datagram, or a train of them from one sender, each `segment` bytes long but
 * for the last, which may be shorter. */
typedef struct dg_received {
    const char *data;
    uint32_t length;
    uint32_t segment;
    int truncated; /* 1: the kernel cut it */
    dg_address from;
} dg_received;

/* Receives into the first slots of the arena, at most `want` (1 .. DG_SLOTS), without waiting. Where the socket
 * coalesces for certain not, nobody asks for the size of segments, which makes a lone datagram cheaper.
 * Returns how many slots are filled, or a negative errno. Never EINTR. */
int dg_os_receive(int fd, dg_arena *arena, unsigned want, const dg_offloads *offloads);
/* Receives one datagram into the first slot, which has the whole arena (2 MiB) for it. Returns 1 or a negative errno.
 */
int dg_os_receive_large(int fd, dg_arena *arena);
dg_received *dg_arena_slot(dg_arena *arena, unsigned i);

DG_HIDDEN_END

#endif
