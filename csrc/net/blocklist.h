/* SPDX-License-Identifier: MIT */
/* A set of IP addresses, as ranges: sorted, merged, found by halving. IPv4 addresses are their mapped IPv6 ones here,
 * so that either form of an address meets the rules of the other. */
#ifndef DG_NET_BLOCKLIST_H
#define DG_NET_BLOCKLIST_H

#include <stdint.h>

#include "address.h"

DG_HIDDEN_BEGIN

/* An address as a number of 128 bits. */
typedef struct dg_key {
    uint64_t high, low;
} dg_key;

typedef struct dg_key_range {
    dg_key first, last;
} dg_key_range;

/* All zero is an empty one. */
typedef struct dg_blocklist {
    dg_key_range *ranges;
    size_t count, room;
} dg_blocklist;

dg_key dg_key_of(const dg_address *address);
int dg_key_less(dg_key a, dg_key b);
/* The range of a subnet; `prefix` counts the bits of the address's own family. */
dg_key_range dg_key_subnet(const dg_address *address, unsigned prefix);

/* 0 or -ENOMEM, with nothing changed. */
int dg_blocklist_add(dg_blocklist *list, dg_key_range range);
/* Unix addresses are in none. */
int dg_blocklist_has(const dg_blocklist *list, const dg_address *address);
void dg_blocklist_free(dg_blocklist *list);

DG_HIDDEN_END

#endif
