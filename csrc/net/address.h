/* SPDX-License-Identifier: MIT */
/* Socket addresses and their text: IPv4 and IPv6 literals (with zones, RFC 4007) and Unix names, to sockaddr and back.
 * Looks nothing up: a host name is "not a literal" here. */
#ifndef DG_NET_ADDRESS_H
#define DG_NET_ADDRESS_H

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "attributes.h"

DG_HIDDEN_BEGIN

/* Room for any of them and a final NUL: Unix names are the longest, 108 bytes. */
#define DG_ADDRESS_TEXT 112

typedef struct dg_address {
    socklen_t length; /* 0: no address, as an unnamed sender has none */
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } u;
} dg_address;

/* The same without room for Unix names, a third of the size: for addresses that are stored in numbers. */
typedef struct dg_inet {
    socklen_t length;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } u;
} dg_inet;

_Static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port),
               "the port may be read without a look at the family");

static inline void dg_inet_load(dg_address *out, const dg_inet *in)
{
    out->length = in->length;
    memcpy(&out->u, &in->u, sizeof in->u);
}

/* `in` is an IPv4 or IPv6 address, or none (length 0). */
static inline void dg_inet_store(dg_inet *out, const dg_address *in)
{
    out->length = in->length;
    memcpy(&out->u, &in->u, sizeof out->u);
}

/* Copies only what is used. */
static inline void dg_address_copy(dg_address *out, const dg_address *in)
{
    out->length = in->length;
    memcpy(&out->u, &in->u, in->length);
}

/* What dg_address_parse returns for a host name. */
#define DG_NOT_A_LITERAL 1

/* Parses `text` (NUL-terminated) as an address for a socket of `family` (AF_INET or AF_INET6); `port` in host order.
 * On a dual-stack socket (`mapped` not 0) an IPv4 literal becomes ::ffff:a.b.c.d.
 * Returns 0, DG_NOT_A_LITERAL, -EINVAL for a literal of the wrong family, or -ENODEV for an unknown zone. */
int dg_address_parse(dg_address *out, int family, int mapped, const char *text, unsigned port);

/* Makes the address of a Unix socket's path, or, with a leading NUL, of one of Linux's abstract names (unix(7)). An
 * empty name asks the kernel to choose one. Returns 0 or -ENAMETOOLONG. */
int dg_address_unix(dg_address *out, const char *name, size_t length);

/* Make the wildcard (0.0.0.0 or ::) and the loopback address (127.0.0.1 or ::1) of a family. */
void dg_address_any(dg_address *out, int family, unsigned port);
void dg_address_loopback(dg_address *out, int family, unsigned port);

/* Writes the literal without the port, with a zone for link-local addresses, or the Unix name; returns its length. */
size_t dg_address_format(const dg_address *address, char text[DG_ADDRESS_TEXT]);

/* Returns the port, or 0 where there is none. */
static inline unsigned dg_address_port(const dg_address *address)
{
    if (address->length == 0 || address->u.any.sa_family == AF_UNIX)
        return 0;
    /* sin_port and sin6_port lie at the same place. */
    return ntohs(address->u.in.sin_port);
}
void dg_address_set_port(dg_address *address, unsigned port);
static inline int dg_address_equal(const dg_address *a, const dg_address *b)
{
    if (a->length != b->length)
        return 0;
    return a->length == sizeof a->u.in
               ? memcmp(&a->u.in, &b->u.in, sizeof a->u.in) == 0 /* IPv4: a known size is faster */
               : memcmp(&a->u, &b->u, a->length) == 0;
}

static inline int dg_inet_equal(const dg_inet *a, const dg_address *b)
{
    if (a->length != b->length)
        return 0;
    return a->length == sizeof a->u.in ? memcmp(&a->u.in, &b->u.in, sizeof a->u.in) == 0
                                       : memcmp(&a->u, &b->u, a->length) == 0;
}
/* Returns whether two addresses are the same but for what does not matter to a peer (IPv6's flow label). */
int dg_address_same(const dg_address *a, const dg_address *b);
int dg_address_is_multicast(const dg_address *address);
/* The next three see through mapped addresses: the wildcard; 169.254.0.0/16 (RFC 3927) and fe80::/10; and what may be
 * one host's address, which the wildcard, groups and 255.255.255.255 are not. */
int dg_address_is_any(const dg_address *address);
int dg_address_is_link_local(const dg_address *address);
int dg_address_is_host(const dg_address *address);
/* Returns whether it needs a zone (RFC 4007) and has none. */
int dg_address_lacks_zone(const dg_address *address);

DG_HIDDEN_END

#endif
