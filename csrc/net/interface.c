/* SPDX-License-Identifier: MIT */
#include "interface.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "address.h"

static int same_host(const struct sockaddr *theirs, const dg_address *ours)
{
    if (theirs == NULL || theirs->sa_family != ours->u.any.sa_family)
        return 0;
    if (theirs->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)theirs;
        return in->sin_addr.s_addr == ours->u.in.sin_addr.s_addr;
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)theirs;
    return IN6_ARE_ADDR_EQUAL(&in6->sin6_addr, &ours->u.in6.sin6_addr);
}

static int index_of_address(const dg_address *address, unsigned *index)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) != 0)
        return -errno;
    *index = 0;
    for (struct ifaddrs *each = all; each != NULL && *index == 0; each = each->ifa_next)
        if (same_host(each->ifa_addr, address))
            *index = if_nametoindex(each->ifa_name);
    freeifaddrs(all);
    return *index != 0 ? 0 : -EADDRNOTAVAIL;
}

static int is_listed(const unsigned *indexes, int count, unsigned index)
{
    while (count > 0)
        if (indexes[--count] == index)
            return 1;
    return 0;
}

int dg_interface_list_multicast(unsigned *indexes, int room)
{
    struct ifaddrs *all;
    const unsigned wanted = IFF_UP | IFF_MULTICAST;
    int count = 0;
    if (getifaddrs(&all) != 0)
        return -errno;
    for (struct ifaddrs *each = all; each != NULL && count < room; each = each->ifa_next) {
        unsigned index = if_nametoindex(each->ifa_name);
        if ((each->ifa_flags & wanted) == wanted && index != 0 && !is_listed(indexes, count, index))
            indexes[count++] = index;
    }
    freeifaddrs(all);
    return count;
}

unsigned dg_interface_index(const char *name)
{
    char *end;
    if (name[0] != '#' || name[1] < '0' || name[1] > '9')
        return if_nametoindex(name);
    unsigned long index = strtoul(name + 1, &end, 10);
    return *end == '\0' && index <= INT_MAX ? (unsigned)index : 0;
}

int dg_interface_find(const char *text, dg_interface *out)
{
    dg_address address;
    int status = dg_address_parse(&address, strchr(text, ':') != NULL ? AF_INET6 : AF_INET, 0, text, 0);
    memset(out, 0, sizeof *out);
    if (status == DG_NOT_A_LITERAL) {
        out->index = if_nametoindex(text);
        return out->index != 0 ? 0 : -EINVAL;
    }
    if (status != 0)
        return status;
    out->is_ipv4 = address.u.any.sa_family == AF_INET;
    if (out->is_ipv4)
        out->address = address.u.in.sin_addr;
    else if (address.u.in6.sin6_scope_id != 0)
        out->index = address.u.in6.sin6_scope_id;
    return out->index != 0 || dg_address_is_any(&address) ? 0 : index_of_address(&address, &out->index);
}

/* if_indextoname(3) would open a socket to ask by. */
static int ask_name(int fd, unsigned index, char name[IF_NAMESIZE])
{
#if defined(SIOCGIFNAME)
    struct ifreq request;
    memset(&request, 0, sizeof request);
    request.ifr_ifindex = (int)index;
    if (ioctl(fd, SIOCGIFNAME, &request) != 0)
        return 0;
    memcpy(name, request.ifr_name, IF_NAMESIZE);
    return 1;
#else
    (void)fd;
    return if_indextoname(index, name) != NULL;
#endif
}

void dg_interface_name(int fd, unsigned index, char name[IF_NAMESIZE])
{
    if (!ask_name(fd, index, name))
        snprintf(name, IF_NAMESIZE, "#%u", index);
}
