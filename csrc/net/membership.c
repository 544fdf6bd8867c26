/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE /* struct group_req */
#include "membership.h"

#include <errno.h>
#include <string.h>

static int level_of(const dg_membership *membership)
{
    return membership->group.u.any.sa_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
}

static int change_group(int fd, const dg_membership *membership, int name)
{
    struct group_req request;
    memset(&request, 0, sizeof request);
    request.gr_interface = membership->interface;
    memcpy(&request.gr_group, &membership->group.u, membership->group.length);
    return setsockopt(fd, level_of(membership), name, &request, sizeof request) == 0 ? 0 : -errno;
}

static int change_source(int fd, const dg_membership *membership, int name)
{
    struct group_source_req request;
    memset(&request, 0, sizeof request);
    request.gsr_interface = membership->interface;
    memcpy(&request.gsr_group, &membership->group.u, membership->group.length);
    memcpy(&request.gsr_source, &membership->source.u, membership->source.length);
    return setsockopt(fd, level_of(membership), name, &request, sizeof request) == 0 ? 0 : -errno;
}

int dg_membership_join(int fd, const dg_membership *membership)
{
    if (!dg_address_is_multicast(&membership->group))
        return -EINVAL;
    if (membership->source.length != 0)
        return change_source(fd, membership, MCAST_JOIN_SOURCE_GROUP);
    return change_group(fd, membership, MCAST_JOIN_GROUP);
}

int dg_membership_leave(int fd, const dg_membership *membership)
{
    if (!dg_address_is_multicast(&membership->group))
        return -EINVAL;
    if (membership->source.length != 0)
        return change_source(fd, membership, MCAST_LEAVE_SOURCE_GROUP);
    return change_group(fd, membership, MCAST_LEAVE_GROUP);
}
