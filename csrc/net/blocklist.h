/* SPDX-License-Identifier: MIT */
/* A set of rules (rule.h), and whether one of them has an address: a balanced tree of ranges, in which each node knows
 * the last address that ranges below it reach. Every change and every question takes a time that grows with the
 * logarithm of the count, so a list may change between two datagrams. */
#ifndef DG_NET_BLOCKLIST_H
#define DG_NET_BLOCKLIST_H

#include "rule.h"

DG_HIDDEN_BEGIN

typedef struct dg_blocklist_node dg_blocklist_node;

/* All zero is an empty one. Nodes are named by their indices, 0 is none. */
typedef struct dg_blocklist {
    dg_blocklist_node *nodes;
    size_t count, room;
    uint32_t root, used, spare;     /* the tree; how many indices were given out ever; those given back */
    uint32_t newest[DG_RULE_KINDS]; /* the newest rule of each kind, in the order of `rules` */
    unsigned char ended;            /* it is free for good: it stays empty */
} dg_blocklist;

/* Room for so many more rules: 0, or -ENOMEM with nothing changed. */
int dg_blocklist_reserve(dg_blocklist *list, size_t more);
/* Takes a rule, for which there is room. One address has one rule, which names the family that came last; ranges and
 * subnets may be there several times. */
void dg_blocklist_add(dg_blocklist *list, const dg_rule *rule);
/* Takes the newest rule away that is equal to this one; where there is none, nothing happens. */
void dg_blocklist_remove(dg_blocklist *list, const dg_rule *rule);
void dg_blocklist_clear(dg_blocklist *list);
/* Copies at most so many rules out, one kind after the other, each with the newest first; returns how many. */
size_t dg_blocklist_rules(const dg_blocklist *list, dg_rule *out, size_t most);
/* Unix addresses are in none. */
int dg_blocklist_has(const dg_blocklist *list, const dg_address *address);
int dg_blocklist_has_key(const dg_blocklist *list, dg_key key);
/* The end: nothing can be added any more. */
void dg_blocklist_free(dg_blocklist *list);

DG_HIDDEN_END

#endif
