/* SPDX-License-Identifier: MIT */
/* What the kernel tells of a datagram beside its bytes and its sender, in control messages: asks for it, and reads it.
 * Linux alone; os.h has what other systems do. What becomes of it is not known here. */
#ifndef DG_NET_ANCILLARY_H
#define DG_NET_ANCILLARY_H

#include <net/if.h>
#include <stdint.h>
#include <sys/socket.h>

#include "address.h"

DG_HIDDEN_BEGIN

/* What a socket may ask for. */
enum dg_ask {
    DG_ASK_ARRIVAL = 1,     /* the address that the datagram was sent to, and the interface that it came by */
    DG_ASK_TTL = 2,         /* its TTL or hop limit */
    DG_ASK_TOS = 4,         /* its traffic class: DSCP and ECN */
    DG_ASK_TIME = 8,        /* when it came */
    DG_ASK_CREDENTIALS = 16 /* who sent it; Unix sockets only */
};

enum {
    /* Room for all of it, the segment size, and what whoever opened an adopted descriptor may have asked for. It is no
     * power of two, so that the buffers of several slots do not share the same sets of the CPU's cache. */
    DG_ANCILLARY_BYTES = 448,
};

/* What a socket has asked for. */
typedef struct dg_asked {
    unsigned char set;   /* set of dg_ask */
    unsigned short room; /* bytes for control messages that a receive offers; 0: none */
} dg_asked;

/* What came. All that `has` does not name is 0. */
typedef struct dg_ancillary {
    unsigned has; /* set of dg_ask */
    unsigned interface_index;
    int ttl, tos;
    int64_t seconds, nanoseconds; /* since the epoch */
    int64_t pid, uid, gid;        /* pid 0: a process that has none here */
    dg_inet local;                /* one of the host's addresses, or a group's; mapped on an IPv6 socket */
    char local_text[DG_ADDRESS_TEXT], interface_text[IF_NAMESIZE]; /* dg_ancillary_name makes them; "": not known */
} dg_ancillary;

/* Asks for a set on a descriptor. Returns 0, -ENOTSUP where the family has no such thing, or another negative errno;
 * *out is only changed if it returns 0. The room of a Unix socket is for what is asked for, by others who have the
 * descriptor, too, and for no more: so the kernel receives no descriptors (unix(7), SCM_RIGHTS), but closes them. */
int dg_ancillary_ask(int fd, int family, unsigned set, dg_asked *out);

/* Reads what came of the set. */
void dg_ancillary_read(struct msghdr *header, unsigned set, dg_ancillary *out);

/* Makes the texts; the interface's name is that of now. `last`: of another datagram of the same receive, or NULL. */
void dg_ancillary_name(dg_ancillary *ancillary, int fd, const dg_ancillary *last);

/* Returns whether they say the same. */
static inline int dg_ancillary_same(const dg_ancillary *a, const dg_ancillary *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

DG_HIDDEN_END

#endif
