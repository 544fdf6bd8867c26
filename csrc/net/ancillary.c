/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* struct in_pktinfo, struct in6_pktinfo, struct ucred */
#include "ancillary.h"

#if defined(__linux__)

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "cmsg.h"
#include "interface.h"

enum {
    OURS = CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(struct in6_pktinfo)) +
           3 * CMSG_SPACE(sizeof(int)) /* TTL, TOS, segment size */ + CMSG_SPACE(sizeof(struct timespec)),
    /* Of an adopted descriptor: SO_TIMESTAMPING with its two messages, SO_RXQ_OVFL, SO_RCVMARK, SO_RCVPRIORITY. The
     * kernel writes IP options and extension headers behind ours. */
    OTHERS = CMSG_SPACE(3 * sizeof(struct timespec)) + CMSG_SPACE(16) + 3 * CMSG_SPACE(sizeof(int)),
};

_Static_assert(DG_ANCILLARY_BYTES >= OURS + OTHERS, "room for all that a datagram may bring");

enum { NETWORK_ONLY = DG_ASK_ARRIVAL | DG_ASK_TTL | DG_ASK_TOS };

static int turn_on(int fd, int level, int name)
{
    int on = 1;
    return setsockopt(fd, level, name, &on, sizeof on) == 0 ? 0 : -errno;
}

static int is_on(int fd, int name)
{
    int value = 0;
    socklen_t length = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &length) == 0 && value != 0;
}

/* The IPv4 half of an IPv6 socket is for its mapped peers, which one that is IPv6-only does not have: it may fail. */
static int turn_on_both(int fd, int family, int v4, int v6)
{
    int status = turn_on(fd, IPPROTO_IP, v4);
    return family == AF_INET6 ? turn_on(fd, IPPROTO_IPV6, v6) : status;
}

/* The kernel writes these before it looks for room for descriptors. */
static size_t unix_room(int fd)
{
    size_t room = 0;
    if (is_on(fd, SO_TIMESTAMP) || is_on(fd, SO_TIMESTAMPNS))
        room += CMSG_SPACE(sizeof(struct timespec));
    if (is_on(fd, SO_TIMESTAMPING))
        room += CMSG_SPACE(3 * sizeof(struct timespec));
    if (is_on(fd, SO_PASSCRED))
        room += CMSG_SPACE(sizeof(struct ucred));
    return room;
}

int dg_ancillary_ask(int fd, int family, unsigned set, dg_asked *out)
{
    int status = (set & (family == AF_UNIX ? NETWORK_ONLY : DG_ASK_CREDENTIALS)) != 0 ? -ENOTSUP : 0;
    if (status == 0 && (set & DG_ASK_ARRIVAL))
        status = turn_on_both(fd, family, IP_PKTINFO, IPV6_RECVPKTINFO);
    if (status == 0 && (set & DG_ASK_TTL))
        status = turn_on_both(fd, family, IP_RECVTTL, IPV6_RECVHOPLIMIT);
    if (status == 0 && (set & DG_ASK_TOS))
        status = turn_on_both(fd, family, IP_RECVTOS, IPV6_RECVTCLASS);
    if (status == 0 && (set & DG_ASK_TIME))
        status = turn_on(fd, SOL_SOCKET, SO_TIMESTAMPNS);
    if (status == 0 && (set & DG_ASK_CREDENTIALS))
        status = turn_on(fd, SOL_SOCKET, SO_PASSCRED);
    if (status != 0)
        return status;
    out->set = (unsigned char)set;
    out->room = (unsigned short)(family == AF_UNIX ? unix_room(fd) : set != 0 ? DG_ANCILLARY_BYTES : 0);
    return 0;
}

static void set_ipv4(dg_ancillary *out, struct in_addr host)
{
    out->local.length = sizeof out->local.u.in;
    out->local.u.in.sin_family = AF_INET;
    out->local.u.in.sin_addr = host;
}

static void set_ipv6(dg_ancillary *out, const struct in6_addr *host)
{
    out->local.length = sizeof out->local.u.in6;
    out->local.u.in6.sin6_family = AF_INET6;
    out->local.u.in6.sin6_addr = *host;
}

/* What was sent to a broadcast address has the address that an answer would come from: nothing can be sent from a
 * broadcast address. An IPv4 group stays, as an IPv6 group does, for which the kernel tells no other address. */
static struct in_addr own_address(const struct in_pktinfo *info)
{
    int is_group = IN_MULTICAST(ntohl(info->ipi_addr.s_addr));
    return is_group || info->ipi_spec_dst.s_addr == htonl(INADDR_ANY) ? info->ipi_addr : info->ipi_spec_dst;
}

/* On an IPv6 socket a datagram of a mapped peer brings both messages. */
static void read_arrival(struct msghdr *header, dg_ancillary *out)
{
    struct in_pktinfo ipv4;
    struct in6_pktinfo ipv6;
    int has_ipv4 = dg_cmsg_read(header, IPPROTO_IP, IP_PKTINFO, &ipv4, sizeof ipv4);
    int has_ipv6 = dg_cmsg_read(header, IPPROTO_IPV6, IPV6_PKTINFO, &ipv6, sizeof ipv6);
    if (!has_ipv4 && !has_ipv6)
        return;
    out->has |= DG_ASK_ARRIVAL;
    out->interface_index = has_ipv6 ? ipv6.ipi6_ifindex : (unsigned)ipv4.ipi_ifindex;
    if (!has_ipv6) {
        set_ipv4(out, own_address(&ipv4));
        return;
    }
    if (has_ipv4) {
        struct in_addr host = own_address(&ipv4);
        memcpy(&ipv6.ipi6_addr.s6_addr[12], &host, sizeof host);
    }
    set_ipv6(out, &ipv6.ipi6_addr);
}

/* The kernel writes IPv4's traffic class as a byte, all else as an int. */
static int read_tos(struct msghdr *header, int *out)
{
    unsigned char tos;
    if (!dg_cmsg_read(header, IPPROTO_IP, IP_TOS, &tos, sizeof tos))
        return dg_cmsg_read(header, IPPROTO_IPV6, IPV6_TCLASS, out, sizeof *out);
    *out = tos;
    return 1;
}

static int read_time(struct msghdr *header, dg_ancillary *out)
{
    struct timespec time;
    if (!dg_cmsg_read(header, SOL_SOCKET, SCM_TIMESTAMPNS, &time, sizeof time))
        return 0;
    out->seconds = time.tv_sec;
    out->nanoseconds = time.tv_nsec;
    return 1;
}

static int read_credentials(struct msghdr *header, dg_ancillary *out)
{
    struct ucred sender;
    if (!dg_cmsg_read(header, SOL_SOCKET, SCM_CREDENTIALS, &sender, sizeof sender))
        return 0;
    out->pid = sender.pid;
    out->uid = sender.uid;
    out->gid = sender.gid;
    return 1;
}

void dg_ancillary_read(struct msghdr *header, unsigned set, dg_ancillary *out)
{
    memset(out, 0, sizeof *out);
    if (set & DG_ASK_ARRIVAL)
        read_arrival(header, out);
    if ((set & DG_ASK_TTL) && (dg_cmsg_read(header, IPPROTO_IP, IP_TTL, &out->ttl, sizeof out->ttl) ||
                               dg_cmsg_read(header, IPPROTO_IPV6, IPV6_HOPLIMIT, &out->ttl, sizeof out->ttl)))
        out->has |= DG_ASK_TTL;
    if ((set & DG_ASK_TOS) && read_tos(header, &out->tos))
        out->has |= DG_ASK_TOS;
    if ((set & DG_ASK_TIME) && read_time(header, out))
        out->has |= DG_ASK_TIME;
    if ((set & DG_ASK_CREDENTIALS) && read_credentials(header, out))
        out->has |= DG_ASK_CREDENTIALS;
}

void dg_ancillary_name(dg_ancillary *ancillary, int fd, const dg_ancillary *last)
{
    dg_address address;
    if (!(ancillary->has & DG_ASK_ARRIVAL))
        return;
    if (last != NULL && last->interface_index == ancillary->interface_index)
        memcpy(ancillary->interface_text, last->interface_text, sizeof last->interface_text);
    else if (ancillary->interface_index != 0)
        dg_interface_name(fd, ancillary->interface_index, ancillary->interface_text);
    dg_inet_load(&address, &ancillary->local);
    size_t length = dg_address_format(&address, ancillary->local_text);
    const char *zone = ancillary->interface_text;
    if (*zone != '\0' && dg_address_lacks_zone(&address))
        snprintf(ancillary->local_text + length, sizeof ancillary->local_text - length, "%%%s",
                 *zone == '#' ? zone + 1 : zone);
}

#endif
