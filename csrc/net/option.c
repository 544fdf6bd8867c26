/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE /* struct ip_mreqn */
#include "option.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static int set(int fd, int level, int name, const void *value, size_t length)
{
    return setsockopt(fd, level, name, value, (socklen_t)length) == 0 ? 0 : -errno;
}

static int set_int(int fd, int level, int name, int value)
{
    return set(fd, level, name, &value, sizeof value);
}

/* The IPv4 half is for mapped peers only. So it may fail: some systems do not have it, and IPv6-only sockets refuse
 * it. */
static int set_both(int fd, int family, int v4, int v6, int value)
{
    int status = set_int(fd, IPPROTO_IP, v4, value);
    return family == AF_INET6 ? set_int(fd, IPPROTO_IPV6, v6, value) : status;
}

int dg_option_set_broadcast(int fd, int family, int on)
{
    (void)family;
    return set_int(fd, SOL_SOCKET, SO_BROADCAST, on);
}

int dg_option_set_reuse_address(int fd, int family, int on)
{
    (void)family;
    return set_int(fd, SOL_SOCKET, SO_REUSEADDR, on);
}

int dg_option_set_reuse_port(int fd, int family, int on)
{
    (void)family;
#if defined(SO_REUSEPORT_LB) /* FreeBSD: plain SO_REUSEPORT does not spread */
    return set_int(fd, SOL_SOCKET, SO_REUSEPORT_LB, on);
#elif defined(SO_REUSEPORT) && defined(__linux__)
    return set_int(fd, SOL_SOCKET, SO_REUSEPORT, on);
#else
    (void)fd;
    (void)on;
    return -ENOTSUP;
#endif
}

int dg_option_set_ipv6_only(int fd, int family, int on)
{
    return family == AF_INET6 ? set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, on) : 0;
}

int dg_option_set_ttl(int fd, int family, int hops)
{
    return set_both(fd, family, IP_TTL, IPV6_UNICAST_HOPS, hops);
}

int dg_option_set_multicast_ttl(int fd, int family, int hops)
{
    return set_both(fd, family, IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, hops);
}

int dg_option_set_multicast_loopback(int fd, int family, int on)
{
    return set_both(fd, family, IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP, on);
}

int dg_option_set_tos(int fd, int family, int tos)
{
#if defined(IPV6_TCLASS)
    return set_both(fd, family, IP_TOS, IPV6_TCLASS, tos);
#else
    return family == AF_INET6 ? -ENOTSUP : set_int(fd, IPPROTO_IP, IP_TOS, tos);
#endif
}

static int get_int(int fd, int level, int name, int *value)
{
    socklen_t length = sizeof *value;
    return getsockopt(fd, level, name, value, &length) == 0 ? 0 : -errno;
}

/* Some systems return -1 for a value that was never set. */
int dg_option_get_tos(int fd, int family, int *tos)
{
#if defined(IPV6_TCLASS)
    int status =
        get_int(fd, family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP, family == AF_INET6 ? IPV6_TCLASS : IP_TOS, tos);
#else
    int status = family == AF_INET6 ? -ENOTSUP : get_int(fd, IPPROTO_IP, IP_TOS, tos);
#endif
    if (status == 0 && *tos < 0)
        *tos = 0;
    return status;
}

#if defined(IP_MTU_DISCOVER) && defined(IPV6_MTU_DISCOVER) /* Linux */

/* With PROBE and not DO the kernel ignores what routers said about the path, so a program can find out when its MTU
 * grows. */
int dg_option_set_dont_fragment(int fd, int family, int on)
{
    int status = set_both(fd, family, IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, on ? IP_PMTUDISC_PROBE : IP_PMTUDISC_WANT);
    return status == 0 && family == AF_INET6 ? set_int(fd, IPPROTO_IPV6, IPV6_DONTFRAG, on) : status;
}

#elif defined(IP_DONTFRAG) && defined(IPV6_DONTFRAG) /* the BSDs, macOS */

int dg_option_set_dont_fragment(int fd, int family, int on)
{
    return set_both(fd, family, IP_DONTFRAG, IPV6_DONTFRAG, on);
}

#else

int dg_option_set_dont_fragment(int fd, int family, int on)
{
    (void)fd, (void)family, (void)on;
    return -ENOTSUP;
}

#endif

int dg_option_get_path_mtu(int fd, int family, int *bytes)
{
#if defined(IP_MTU) && defined(IPV6_MTU)
    return family == AF_INET6 ? get_int(fd, IPPROTO_IPV6, IPV6_MTU, bytes) : get_int(fd, IPPROTO_IP, IP_MTU, bytes);
#else
    (void)fd, (void)family, (void)bytes;
    return -ENOTSUP;
#endif
}

/* Linux has it for IPv6 since 4.20. */
int dg_option_set_multicast_all(int fd, int family, int on)
{
#if defined(__linux__)
    enum { OPT_IP_MULTICAST_ALL = 49, OPT_IPV6_MULTICAST_ALL = 29 }; /* not in every libc's headers */
    int status = set_both(fd, family, OPT_IP_MULTICAST_ALL, OPT_IPV6_MULTICAST_ALL, on);
    return status == -ENOPROTOOPT ? -ENOTSUP : status;
#else
    (void)fd, (void)family, (void)on;
    return -ENOTSUP;
#endif
}

static int set_multicast_interface_ipv4(int fd, const dg_interface *interface)
{
    struct ip_mreqn request;
    memset(&request, 0, sizeof request);
    request.imr_ifindex = (int)interface->index;
    request.imr_address = interface->address;
    return set(fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request);
}

/* As in set_both, the IPv4 half of a setting for both may fail. */
int dg_option_set_multicast_interface(int fd, int family, int dual, const dg_interface *interface)
{
    if (family == AF_INET || (dual && interface->is_ipv4))
        return set_multicast_interface_ipv4(fd, interface);
    if (dual)
        set_multicast_interface_ipv4(fd, interface);
    return set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)interface->index);
}

int dg_option_set_receive_buffer(int fd, int family, int bytes)
{
    (void)family;
    return set_int(fd, SOL_SOCKET, SO_RCVBUF, bytes);
}

int dg_option_set_send_buffer(int fd, int family, int bytes)
{
    (void)family;
    return set_int(fd, SOL_SOCKET, SO_SNDBUF, bytes);
}

int dg_option_get_broadcast(int fd, int *on)
{
    return get_int(fd, SOL_SOCKET, SO_BROADCAST, on);
}

int dg_option_get_receive_buffer(int fd, int *bytes)
{
    return get_int(fd, SOL_SOCKET, SO_RCVBUF, bytes);
}

int dg_option_get_send_buffer(int fd, int *bytes)
{
    return get_int(fd, SOL_SOCKET, SO_SNDBUF, bytes);
}

int dg_option_set_bytes(int fd, int level, int name, const void *value, size_t length)
{
    return set(fd, level, name, value, length);
}

int dg_option_get_bytes(int fd, int level, int name, void *value, size_t *length)
{
    socklen_t size = (socklen_t)*length;
    if (getsockopt(fd, level, name, value, &size) != 0)
        return -errno;
    *length = size < *length ? size : *length;
    return 0;
}

int dg_option_get_drops(int fd, uint32_t *drops)
{
#if defined(__linux__)
    enum { OPT_SO_MEMINFO = 55, MEMINFO_DROPS = 8, MEMINFO_VALUES = 9 }; /* linux/sock_diag.h */
    uint32_t values[MEMINFO_VALUES];
    socklen_t length = sizeof values;
    if (getsockopt(fd, SOL_SOCKET, OPT_SO_MEMINFO, values, &length) != 0)
        return -errno;
    *drops = values[MEMINFO_DROPS];
    return length == sizeof values ? 0 : -ENOTSUP;
#else
    (void)fd;
    (void)drops;
    return -ENOTSUP;
#endif
}
