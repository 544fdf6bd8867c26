/* SPDX-License-Identifier: MIT */
/* Multicast memberships of either family through the protocol-independent calls of RFC 3678. */
#ifndef DG_NET_MEMBERSHIP_H
#define DG_NET_MEMBERSHIP_H

#include "address.h"

DG_HIDDEN_BEGIN

typedef struct dg_membership {
    dg_address group;
    dg_address source;  /* length 0: any source */
    unsigned interface; /* index, 0 for the kernel's choice by its routes */
} dg_membership;

/* 0 or a negative errno: -EADDRINUSE when joined already, -EADDRNOTAVAIL when leaving what was not joined, -ENODEV
 * without such an interface or route, -EINVAL for a group that is none. */
int dg_membership_join(int fd, const dg_membership *membership);
int dg_membership_leave(int fd, const dg_membership *membership);

DG_HIDDEN_END

#endif
