/* SPDX-License-Identifier: MIT */
/* A set of rules (rule.h), and whether one of them contains an address. It is a balanced tree of ranges, in which each
 * node knows the last address that the ranges below it reach. Changes and look-ups take logarithmic time, so a list may
 * change between two datagrams. The Lua methods are in api/blocklists.c. */
#ifndef DG_NET_BLOCKLIST_H
#define DG_NET_BLOCKLIST_H

#include "rule.h"

DG_HIDDEN_BEGIN

typedef struct dg_blocklist_node dg_blocklist_node;

/* All zero is an empty list. Nodes are named by their indices; 0 is none. */
typedef struct dg_blocklist {
    dg_blocklist_node *nodes;
    size_t count, room;
    uint32_t root, used, spare;     /* root of the tree; indices ever used; first of the list of free ones */
    uint32_t newest[DG_RULE_KINDS]; /* the newest rule of each kind, in the order of the property `rules` */
    unsigned char ended;            /* dg_blocklist_free was called: the list stays empty */
} dg_blocklist;

/* Makes room for so many more rules. Returns 0, or -ENOMEM with nothing changed. */
int dg_blocklist_reserve(dg_blocklist *list, size_t more);
/* Adds a rule, for which there is room. An address has one rule, which names the family that it was last added with;
 * ranges and subnets may be added several times. */
void dg_blocklist_add(dg_blocklist *list, const dg_rule *rule);
/* Removes the newest rule that is equal to this one, if there is one. */
void dg_blocklist_remove(dg_blocklist *list, const dg_rule *rule);
void dg_blocklist_clear(dg_blocklist *list);
/* Copies at most `most` rules, one kind after the other, the newest of each kind first. Returns how many. */
size_t dg_blocklist_rules(const dg_blocklist *list, dg_rule *out, size_t most);
/* Returns whether a rule contains the address. No rule contains a Unix address. */
int dg_blocklist_has(const dg_blocklist *list, const dg_address *address);
int dg_blocklist_has_key(const dg_blocklist *list, dg_key key);
/* Frees the list for good: nothing can be added any more. */
void dg_blocklist_free(dg_blocklist *list);

DG_HIDDEN_END

#endif
