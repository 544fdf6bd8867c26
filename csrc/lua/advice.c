/* SPDX-License-Identifier: MIT */
#include "advice.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../net/descriptor.h"
#include "../net/option.h"

enum { MOST_OVER_IPV4 = 65507, MOST_OVER_IPV6 = 65527, FIRST_FREE_PORT = 1024 };

static int has_address(const dg_trouble *t)
{
    return t->to != NULL && t->to->length != 0;
}

static int is_in6(const dg_address *address)
{
    return address->length != 0 && address->u.any.sa_family == AF_INET6;
}

static int is_mapped(const dg_address *address)
{
    return is_in6(address) && IN6_IS_ADDR_V4MAPPED(&address->u.in6.sin6_addr);
}

/* Returns whether the datagram goes over IPv4, whatever the socket's family. */
static int goes_over_ipv4(const dg_trouble *t)
{
    return t->family == AF_INET || (has_address(t) && is_mapped(t->to));
}

static int is_bind(const dg_trouble *t)
{
    return strcmp(t->syscall, "bind") == 0;
}

static int is_local_bind(const dg_trouble *t)
{
    return is_bind(t) && t->family != AF_UNIX && has_address(t);
}

static int is_low_port(const dg_trouble *t)
{
    return is_local_bind(t) && dg_address_port(t->to) != 0 && dg_address_port(t->to) < FIRST_FREE_PORT;
}

static int lacks_broadcast(const dg_trouble *t)
{
    int on = 1;
    return !is_bind(t) && goes_over_ipv4(t) && dg_option_get_broadcast(t->fd, &on) == 0 && !on;
}

static int lacks_zone(const dg_trouble *t)
{
    return has_address(t) && dg_address_lacks_zone(t->to);
}

static int is_mapped_in_vain(const dg_trouble *t)
{
    return t->v6only && has_address(t) && is_mapped(t->to);
}

static int is_loopback(const dg_address *address)
{
    return address->u.any.sa_family == AF_INET && ntohl(address->u.in.sin_addr.s_addr) >> 24 == 127;
}

static int leaves_loopback(const dg_trouble *t)
{
    dg_address own;
    return !is_bind(t) && t->family == AF_INET && has_address(t) && dg_descriptor_name(t->fd, &own) == 0 &&
           is_loopback(&own) && !is_loopback(t->to);
}

/* Returns whether the socket is bound to an address of one family, and the destination is of the other. */
static int crosses_families(const dg_trouble *t)
{
    dg_address own;
    if (is_bind(t) || !has_address(t) || t->family != AF_INET6 || dg_descriptor_name(t->fd, &own) != 0)
        return 0;
    return !IN6_IS_ADDR_UNSPECIFIED(&own.u.in6.sin6_addr) && is_mapped(&own) != is_mapped(t->to);
}

static int is_to_group(const dg_trouble *t)
{
    if (t->family == AF_UNIX || is_bind(t) || !has_address(t))
        return 0;
    if (is_mapped(t->to))
        return IN_MULTICAST((uint32_t)t->to->u.in6.sin6_addr.s6_addr[12] << 24);
    return dg_address_is_multicast(t->to);
}

static int is_to_inet(const dg_trouble *t)
{
    return t->family != AF_UNIX && !is_bind(t) && has_address(t);
}

static int is_unix(const dg_trouble *t)
{
    return t->family == AF_UNIX;
}

static int is_echo(const dg_trouble *t)
{
    return t->family != AF_UNIX && strcmp(t->syscall, "recvmsg") == 0;
}

static int is_true(const dg_trouble *t)
{
    (void)t;
    return 1;
}

/* The first row that applies gives the advice. */
static const struct {
    int error;
    int (*applies)(const dg_trouble *t);
    const char *words;
} advice[] = {
    {EACCES, is_low_port, "ports below 1024 need privileges"},
    {EACCES, lacks_broadcast, "broadcasts need setBroadcast(true)"},
    {EADDRNOTAVAIL, is_local_bind, "no interface of this machine has this address"},
    {EADDRNOTAVAIL, is_to_group, "no route to the group: setMulticastInterface names an interface"},
    {EAFNOSUPPORT, crosses_families, "the socket is bound to an address of the other family"},
    {EBADF, is_true, "somebody else has closed the socket's descriptor"},
    {ECONNREFUSED, is_echo, "nobody has this port there"},
    {ECONNREFUSED, is_unix, "nobody reads from this name any more"},
    {EINVAL, lacks_zone, "a link-local address needs its interface, as in fe80::1%eth0"},
    {EINVAL, is_mapped_in_vain, "an IPv4 address on an ipv6Only socket"},
    {EINVAL, leaves_loopback, "the socket is bound to a loopback address, and so reaches this machine only"},
    {ENAMETOOLONG, is_unix, "a path has at most 107 bytes"},
    {ENETUNREACH, is_mapped_in_vain, "an IPv4 address on an ipv6Only socket"},
    {ENETUNREACH, crosses_families, "the socket is bound to an address of the other family"},
    {ENETUNREACH, is_to_group, "no route to the group: setMulticastInterface names an interface"},
    {ENETUNREACH, is_to_inet, "this machine has no route there"},
    {EOPNOTSUPP, is_unix, "not on a unix_dgram socket"},
    {EPROTOTYPE, is_unix, "the socket there is no datagram socket"},
};

static const char *too_long(const dg_trouble *t, char text[DG_ADVICE_TEXT])
{
    const int over_ipv4 = goes_over_ipv4(t);
    const size_t most = over_ipv4 ? MOST_OVER_IPV4 : MOST_OVER_IPV6;
    if (t->length == 0)
        return NULL;
    if (t->family == AF_UNIX)
        snprintf(text, DG_ADVICE_TEXT, "%zu bytes are more than the send buffer takes (setSendBufferSize)", t->length);
    else if (t->length > most)
        snprintf(text, DG_ADVICE_TEXT, "%zu bytes, where a datagram over IPv%d has at most %zu", t->length,
                 over_ipv4 ? 4 : 6, most);
    else
        snprintf(text, DG_ADVICE_TEXT, "%zu bytes are more than the way there takes in one packet", t->length);
    return text;
}

const char *dg_advice_find(const dg_trouble *trouble, char text[DG_ADVICE_TEXT])
{
    if (trouble->error == -EMSGSIZE)
        return too_long(trouble, text);
    for (size_t i = 0; i < sizeof advice / sizeof advice[0]; i++)
        if (trouble->error == -advice[i].error && advice[i].applies(trouble))
            return advice[i].words;
    return NULL;
}

const char *dg_advice_for_text(int error, int family, const char *address)
{
    if (family == AF_UNIX)
        return error == -ENAMETOOLONG ? "a path has at most 107 bytes" : NULL;
    if (error == -ENODEV)
        return "there is no such interface";
    if (error != -EINVAL)
        return NULL;
    return strchr(address, ':') != NULL ? "an IPv6 address on a udp4 socket" : "an IPv4 address on an ipv6Only socket";
}
