/* SPDX-License-Identifier: MIT */
/* Multicast memberships of either family, through the protocol-independent calls of RFC 3678. Which interface is meant,
 * interface.h finds out. */
#ifndef DG_NET_MEMBERSHIP_H
#define DG_NET_MEMBERSHIP_H

#include "address.h"

DG_HIDDEN_BEGIN

typedef struct dg_membership {
    dg_address group;
    dg_address source;  /* length 0: any source */
    unsigned interface; /* index, 0 for the kernel's choice by its routes */
} dg_membership;

/* Return 0 or a negative errno: -EADDRINUSE for a group that was joined before, -EADDRNOTAVAIL for leaving one that was
 * not, -ENODEV without such an interface or route, -EINVAL for an address that is no group. */
int dg_membership_join(int fd, const dg_membership *membership);
int dg_membership_leave(int fd, const dg_membership *membership);

DG_HIDDEN_END

#endif
