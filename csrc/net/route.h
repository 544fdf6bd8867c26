/* SPDX-License-Identifier: MIT */
/* Where a datagram goes, and with which options of its own: its source address and interface, its traffic class, its
 * hop limit. Datagrams that follow each other on one route may be one GSO batch. How the options reach the kernel is
 * os.h's affair. */
#ifndef DG_NET_ROUTE_H
#define DG_NET_ROUTE_H

#include <errno.h>
#include <stdint.h>

#include "address.h"

DG_HIDDEN_BEGIN

/* Which options a datagram has. */
enum dg_send_option { DG_SEND_SOURCE = 1, DG_SEND_INTERFACE = 2, DG_SEND_TOS = 4, DG_SEND_TTL = 8 };

/* What `set` does not name is 0. */
typedef struct dg_send_options {
    unsigned char set;  /* set of dg_send_option; 0: the socket's own options hold */
    unsigned char ipv4; /* the datagram goes over IPv4; from dg_route_fit on */
    unsigned char tos;
    unsigned char ttl;
    unsigned interface_index; /* as of if_nametoindex(3) */
    struct in6_addr source;   /* an IPv4 address is mapped */
} dg_send_options;

typedef struct dg_route {
    dg_address to; /* length 0: the connected peer */
    dg_send_options options;
} dg_route;

static inline int dg_address_is_ipv4(const dg_address *address)
{
    return address->u.any.sa_family == AF_INET || IN6_IS_ADDR_V4MAPPED(&address->u.in6.sin6_addr);
}

/* Fits the options to the destination; `peer` is the connected one, or NULL. Returns 0, or -EINVAL where the source is
 * of the other family: the kernel would ignore it. */
static inline int dg_route_fit(dg_route *route, const dg_address *peer)
{
    const dg_address *to = route->to.length != 0 ? &route->to : peer;
    if (route->options.set == 0 || to == NULL)
        return 0;
    route->options.ipv4 = (unsigned char)dg_address_is_ipv4(to);
    if (!(route->options.set & DG_SEND_SOURCE))
        return 0;
    return IN6_IS_ADDR_V4MAPPED(&route->options.source) == route->options.ipv4 ? 0 : -EINVAL;
}

/* Copies only what is used. */
static inline void dg_route_copy(dg_route *out, const dg_route *in)
{
    dg_address_copy(&out->to, &in->to);
    if (in->options.set == 0)
        out->options.set = 0;
    else
        out->options = in->options;
}

static inline int dg_route_equal(const dg_route *a, const dg_route *b)
{
    if (a->options.set != b->options.set || !dg_address_equal(&a->to, &b->to))
        return 0;
    return a->options.set == 0 || memcmp(&a->options, &b->options, sizeof a->options) == 0;
}

DG_HIDDEN_END

#endif
