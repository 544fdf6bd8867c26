/* SPDX-License-Identifier: MIT */
/* Linux: recvmmsg(2), sendmmsg(2), and udp(7)'s UDP_SEGMENT and UDP_GRO. */
#if defined(__linux__) && !defined(DGRAM_PORTABLE)
#define _GNU_SOURCE
#include "os.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "cmsg.h"
#include "error_queue.h"

/* Not every libc's headers have these. The kernel's values do not change. */
enum { OPT_UDP_SEGMENT = 103, OPT_UDP_GRO = 104 };
#ifndef SOL_UDP
#define SOL_UDP 17
#endif

enum {
    CONTROL_BYTES = 192, /* for the control messages of a send */
    /* With a power of two between cells, their starts would share the same sets of the CPU's cache. */
    PAYLOAD_BYTES = DG_SLOT_BYTES + 576,
};

typedef union control {
    struct cmsghdr align;
    char bytes[CONTROL_BYTES];
} control;

_Static_assert(CONTROL_BYTES >= CMSG_SPACE(sizeof(int)), "room for the segment size");
_Static_assert(CONTROL_BYTES >=
                   CMSG_SPACE(sizeof(uint16_t)) + CMSG_SPACE(sizeof(struct in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(int)),
               "room for the segment size and all options of a datagram");

/* Control messages of a receive. */
typedef union incoming {
    struct cmsghdr align;
    char bytes[DG_ANCILLARY_BYTES];
} incoming;

/* The headers of a datagram lie beside its bytes, in the same page, so that a receive touches few pages. */
typedef struct cell {
    dg_received slot;
    char payload[PAYLOAD_BYTES];
} cell;

struct dg_arena {
    cell cells[DG_SLOTS];
    struct mmsghdr headers[DG_SLOTS];
    struct iovec buffers[DG_SLOTS];
    incoming controls[DG_SLOTS];
};

dg_arena *dg_arena_new(void)
{
    dg_arena *arena = malloc(sizeof *arena);
    if (arena == NULL)
        return NULL;
    memset(arena->headers, 0, sizeof arena->headers);
    for (unsigned i = 0; i < DG_SLOTS; i++) {
        struct msghdr *header = &arena->headers[i].msg_hdr;
        arena->buffers[i].iov_base = arena->cells[i].payload;
        arena->buffers[i].iov_len = DG_SLOT_BYTES;
        header->msg_iov = &arena->buffers[i];
        header->msg_iovlen = 1;
        header->msg_name = &arena->cells[i].slot.from.u;
        header->msg_control = &arena->controls[i];
    }
    return arena;
}

void dg_arena_free(dg_arena *arena)
{
    free(arena);
}

dg_received *dg_arena_slot(dg_arena *arena, unsigned i)
{
    return &arena->cells[i].slot;
}

/* Returns the segment size. A lone datagram has none: then it is the length. The control message of a GRO batch is an
 * int (that of a send has 16 bits). */
static uint32_t segment_size(struct msghdr *header, uint32_t length)
{
    int size = 0;
    if (header->msg_controllen != 0 && dg_cmsg_read(header, SOL_UDP, OPT_UDP_GRO, &size, sizeof size) && size > 0)
        return (uint32_t)size;
    return length;
}

static int expects_segments(const dg_offloads *offloads)
{
    return offloads->coalesce || offloads->shared;
}

/* Reads what came with the datagrams of a slot. Returns whether all that was asked for did. */
static int read_ancillary(int fd, dg_arena *arena, unsigned i, const dg_asked *asked)
{
    dg_ancillary *with = &arena->cells[i].slot.with;
    dg_ancillary_read(&arena->headers[i].msg_hdr, asked->set, with);
    dg_ancillary_name(with, fd, i != 0 ? &arena->cells[i - 1].slot.with : NULL);
    return (asked->set & ~with->has) == 0;
}

/* If control messages were cut, the segment size may be missing, or what was asked for. Else other messages were cut,
 * which do not matter. */
static void describe_slot(int fd, dg_arena *arena, unsigned i, uint32_t length, const dg_offloads *offloads,
                          const dg_asked *asked)
{
    struct msghdr *header = &arena->headers[i].msg_hdr;
    dg_received *slot = &arena->cells[i].slot;
    slot->data = arena->cells[i].payload;
    slot->length = length;
    slot->segment = expects_segments(offloads) ? segment_size(header, length) : length;
    slot->truncated = (header->msg_flags & (offloads->coalesce ? MSG_TRUNC | MSG_CTRUNC : MSG_TRUNC)) != 0;
    slot->control_cut = (header->msg_flags & MSG_CTRUNC) != 0;
    slot->from.length = header->msg_namelen;
    if (asked->set != 0 && !read_ancillary(fd, arena, i, asked) && slot->control_cut)
        slot->truncated = 1;
}

static void ready_slot(dg_arena *arena, unsigned i, const dg_offloads *offloads, const dg_asked *asked)
{
    struct msghdr *header = &arena->headers[i].msg_hdr;
    header->msg_namelen = sizeof arena->cells[i].slot.from.u;
    header->msg_controllen = expects_segments(offloads) ? DG_ANCILLARY_BYTES : asked->room;
}

/* Receives with recvmsg(2), which is cheaper than recvmmsg(2) for one slot. */
static int receive_one(int fd, dg_arena *arena, const dg_offloads *offloads, const dg_asked *asked)
{
    ssize_t length;
    do
        length = recvmsg(fd, &arena->headers[0].msg_hdr, MSG_DONTWAIT);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return -errno;
    describe_slot(fd, arena, 0, (uint32_t)length, offloads, asked);
    return 1;
}

/* Receives with recvfrom(2), which is cheaper still. It does not report truncation, which cannot happen: no UDP
 * datagram is longer than a slot. */
static int receive_plain(int fd, dg_arena *arena)
{
    dg_received *slot = &arena->cells[0].slot;
    ssize_t length;
    do {
        slot->from.length = sizeof slot->from.u;
        length =
            recvfrom(fd, arena->cells[0].payload, DG_SLOT_BYTES, MSG_DONTWAIT, &slot->from.u.any, &slot->from.length);
    } while (length < 0 && errno == EINTR);
    if (length < 0)
        return -errno;
    slot->data = arena->cells[0].payload;
    slot->length = slot->segment = (uint32_t)length;
    slot->truncated = 0;
    return 1;
}

/* Receives a datagram that may fill all cells of the arena. What was in them is not needed after a receive. */
int dg_os_receive_large(int fd, dg_arena *arena, const dg_asked *asked)
{
    static const dg_offloads none;
    ready_slot(arena, 0, &none, asked);
    arena->buffers[0].iov_len = sizeof arena->cells - offsetof(cell, payload);
    int status = receive_one(fd, arena, &none, asked);
    arena->buffers[0].iov_len = DG_SLOT_BYTES;
    return status;
}

static int receive_several(int fd, dg_arena *arena, unsigned want, const dg_offloads *offloads, const dg_asked *asked)
{
    int count;
    for (unsigned i = 0; i < want; i++)
        ready_slot(arena, i, offloads, asked);
    if (want == 1)
        return receive_one(fd, arena, offloads, asked);
    do
        count = recvmmsg(fd, arena->headers, want, MSG_DONTWAIT, NULL);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return -errno;
    for (int i = 0; i < count; i++)
        describe_slot(fd, arena, (unsigned)i, arena->headers[i].msg_len, offloads, asked);
    return count;
}

int dg_os_receive(int fd, dg_arena *arena, unsigned want, const dg_offloads *offloads, const dg_asked *asked)
{
    if (want == 1 && !expects_segments(offloads) && asked->room == 0)
        return receive_plain(fd, arena);
    return receive_several(fd, arena, want, offloads, asked);
}

int dg_os_ask(int fd, int family, unsigned set, dg_asked *out)
{
    return dg_ancillary_ask(fd, family, set, out);
}

/* What a send call needs beside the payload, for one message. */
typedef struct envelope {
    struct iovec buffer;
    control control;
} envelope;

/* Returns the IPv4 address that the socket is bound to; 0.0.0.0: none. */
static struct in_addr bound_ipv4(int fd)
{
    struct in_addr found = {htonl(INADDR_ANY)};
    dg_address own;
    own.length = sizeof own.u;
    if (getsockname(fd, &own.u.any, &own.length) != 0)
        return found;
    if (own.u.any.sa_family == AF_INET)
        found = own.u.in.sin_addr;
    else if (IN6_IS_ADDR_V4MAPPED(&own.u.in6.sin6_addr))
        memcpy(&found, &own.u.in6.sin6_addr.s6_addr[12], sizeof found);
    return found;
}

/* Over IPv4 a message that names only the interface would take the socket's own address away, so that is named, too. */
static void write_source(int fd, struct msghdr *header, const dg_send_options *options)
{
    struct in_pktinfo ipv4 = {0};
    struct in6_pktinfo ipv6;
    if (!options->ipv4) {
        ipv6.ipi6_addr = options->source;
        ipv6.ipi6_ifindex = options->interface_index;
        dg_cmsg_write(header, CONTROL_BYTES, IPPROTO_IPV6, IPV6_PKTINFO, &ipv6, sizeof ipv6);
        return;
    }
    ipv4.ipi_ifindex = (int)options->interface_index;
    if (options->set & DG_SEND_SOURCE)
        memcpy(&ipv4.ipi_spec_dst, &options->source.s6_addr[12], sizeof ipv4.ipi_spec_dst);
    else
        ipv4.ipi_spec_dst = bound_ipv4(fd);
    dg_cmsg_write(header, CONTROL_BYTES, IPPROTO_IP, IP_PKTINFO, &ipv4, sizeof ipv4);
}

/* Mapped destinations need IPv4's messages: the kernel ignores those of the other family. */
static void write_options(int fd, struct msghdr *header, const dg_send_options *options)
{
    const int level = options->ipv4 ? IPPROTO_IP : IPPROTO_IPV6, tos = options->tos, ttl = options->ttl;
    if (options->set & (DG_SEND_SOURCE | DG_SEND_INTERFACE))
        write_source(fd, header, options);
    if (options->set & DG_SEND_TOS)
        dg_cmsg_write(header, CONTROL_BYTES, level, options->ipv4 ? IP_TOS : IPV6_TCLASS, &tos, sizeof tos);
    if (options->set & DG_SEND_TTL)
        dg_cmsg_write(header, CONTROL_BYTES, level, options->ipv4 ? IP_TTL : IPV6_HOPLIMIT, &ttl, sizeof ttl);
}

static void fill_header(int fd, struct msghdr *header, envelope *env, const dg_outgoing *out)
{
    const dg_route *route = out->route;
    env->buffer.iov_base = (void *)(uintptr_t)out->data; /* sendmsg(2) only reads it */
    env->buffer.iov_len = out->length;
    memset(header, 0, sizeof *header);
    if (route->to.length != 0) {
        header->msg_name = (void *)(uintptr_t)&route->to.u;
        header->msg_namelen = route->to.length;
    }
    header->msg_iov = &env->buffer;
    header->msg_iovlen = 1;
    if (out->segment == 0 && route->options.set == 0)
        return;
    header->msg_control = &env->control;
    if (out->segment != 0) {
        uint16_t size = (uint16_t)out->segment;
        dg_cmsg_write(header, CONTROL_BYTES, SOL_UDP, OPT_UDP_SEGMENT, &size, sizeof size);
    }
    if (route->options.set != 0)
        write_options(fd, header, &route->options);
}

/* Sends a lone datagram with sendto(2), which needs no header. */
static int send_plain(int fd, const dg_outgoing *out)
{
    const dg_address *to = &out->route->to;
    ssize_t sent;
    do
        sent = sendto(fd, out->data, out->length, MSG_NOSIGNAL | MSG_DONTWAIT, to->length != 0 ? &to->u.any : NULL,
                      to->length);
    while (sent < 0 && errno == EINTR);
    return sent >= 0 ? 1 : -errno;
}

static int send_with_control(int fd, const dg_outgoing *out)
{
    struct msghdr header;
    envelope env;
    ssize_t sent;
    fill_header(fd, &header, &env, out);
    do
        sent = sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent >= 0 ? 1 : -errno;
}

static int send_several(int fd, const dg_outgoing *out, unsigned count)
{
    struct mmsghdr headers[DG_BATCH];
    envelope envelopes[DG_BATCH];
    int sent;
    for (unsigned i = 0; i < count; i++) {
        fill_header(fd, &headers[i].msg_hdr, &envelopes[i], &out[i]);
        headers[i].msg_len = 0;
    }
    do
        sent = sendmmsg(fd, headers, count, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent >= 0 ? sent : -errno;
}

int dg_os_send(int fd, const dg_outgoing *out, unsigned count)
{
    if (count > 1)
        return send_several(fd, out, count);
    return (out->segment | out->route->options.set) != 0 ? send_with_control(fd, out) : send_plain(fd, out);
}

int dg_os_hear_errors(int fd, int family)
{
    return dg_error_queue_turn_on(fd, family);
}

void dg_os_offloads(int fd, dg_offloads *out)
{
    int value = 0;
    socklen_t length = sizeof value;
    /* If the option can be read, the kernel has it. */
    out->segments = getsockopt(fd, SOL_UDP, OPT_UDP_SEGMENT, &value, &length) == 0 ? DG_MOST_SEGMENTS : 0;
    int known = getsockopt(fd, SOL_UDP, OPT_UDP_GRO, &value, &length) == 0;
    out->coalesce = known && value != 0;
    out->can_coalesce = known && value == 0;
    out->shared = 0;
}

void dg_os_coalesce(int fd, dg_offloads *out)
{
    int on = 1;
    if (out->can_coalesce)
        out->coalesce = setsockopt(fd, SOL_UDP, OPT_UDP_GRO, &on, sizeof on) == 0;
    out->can_coalesce = 0;
}

#endif
