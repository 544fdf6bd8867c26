/* SPDX-License-Identifier: MIT */
#include "blocklist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a look-up reads comes first. */
struct dg_blocklist_node {
    dg_key first;          /* the rule's */
    dg_key reach;          /* the last address of its range and of the ranges below on the left */
    uint32_t below[2];     /* LEFT and RIGHT */
    dg_key furthest;       /* the last address of its range and of all ranges below */
    uint32_t newer, older; /* neighbours in the order of the property `rules` */
    dg_rule rule;
    unsigned char height;
};

enum { LEFT, RIGHT };

enum { FIRST_ROOM = 8 };

/* ---- The tree: an AVL tree by dg_rule_compare; of equal rules the newer one stands before the other. */

static int height(const dg_blocklist_node *nodes, uint32_t at)
{
    return at != 0 ? nodes[at].height : 0;
}

static dg_key later(dg_key key, const dg_blocklist_node *nodes, uint32_t at)
{
    return at != 0 && dg_key_less(key, nodes[at].furthest) ? nodes[at].furthest : key;
}

/* Computes a node's values that depend on the nodes below it. */
static void update(dg_blocklist_node *nodes, uint32_t at)
{
    dg_blocklist_node *node = &nodes[at];
    int left = height(nodes, node->below[LEFT]), right = height(nodes, node->below[RIGHT]);
    node->height = (unsigned char)(1 + (left > right ? left : right));
    node->reach = later(node->rule.last, nodes, node->below[LEFT]);
    node->furthest = later(node->reach, nodes, node->below[RIGHT]);
}

/* Rotates: the node on one side of `at` takes its place, with `at` on its other side. Returns that node. */
static uint32_t lift(dg_blocklist_node *nodes, uint32_t at, int side)
{
    uint32_t top = nodes[at].below[side];
    nodes[at].below[side] = nodes[top].below[!side];
    nodes[top].below[!side] = at;
    update(nodes, at);
    update(nodes, top);
    return top;
}

/* Balances a node below which something has changed; returns the node that is in its place then. */
static uint32_t balance(dg_blocklist_node *nodes, uint32_t at)
{
    uint32_t *below = nodes[at].below;
    int lean = height(nodes, below[RIGHT]) - height(nodes, below[LEFT]), side = lean > 0 ? RIGHT : LEFT;
    if (lean >= -1 && lean <= 1) {
        update(nodes, at);
        return at;
    }
    const uint32_t *lower = nodes[below[side]].below;
    if (height(nodes, lower[side]) < height(nodes, lower[!side]))
        below[side] = lift(nodes, below[side], !side);
    return lift(nodes, at, side);
}

/* Returns the side of a node on which a rule is looked for; equal rules are on the left. */
static int side_of(const dg_rule *rule, const dg_blocklist_node *node)
{
    return dg_rule_compare(rule, &node->rule) <= 0 ? LEFT : RIGHT;
}

/* Adds the node `new` below `at`; returns the node that is in the place of `at` then. It recurses as deep as the tree
 * is: 46 levels at most. */
static uint32_t insert(dg_blocklist_node *nodes, uint32_t at, uint32_t new)
{
    if (at == 0) {
        update(nodes, new);
        return new;
    }
    uint32_t *below = &nodes[at].below[side_of(&nodes[new].rule, &nodes[at])];
    *below = insert(nodes, *below, new);
    return balance(nodes, at);
}

/* Removes the first node below `at` and stores its index; returns the node that is in the place of `at` then. */
static uint32_t take_first(dg_blocklist_node *nodes, uint32_t at, uint32_t *first)
{
    if (nodes[at].below[LEFT] == 0) {
        *first = at;
        return nodes[at].below[RIGHT];
    }
    nodes[at].below[LEFT] = take_first(nodes, nodes[at].below[LEFT], first);
    return balance(nodes, at);
}

/* Removes the node `old`, which is the first of its equals. */
static uint32_t take_out(dg_blocklist_node *nodes, uint32_t at, uint32_t old)
{
    uint32_t *below = nodes[at].below, first;
    if (at != old) {
        below += side_of(&nodes[old].rule, &nodes[at]);
        *below = take_out(nodes, *below, old);
        return balance(nodes, at);
    }
    if (below[LEFT] == 0 || below[RIGHT] == 0)
        return below[LEFT] | below[RIGHT];
    below[RIGHT] = take_first(nodes, below[RIGHT], &first);
    memcpy(nodes[first].below, below, sizeof nodes[first].below);
    return balance(nodes, first);
}

/* Returns the first node that is equal to the rule, which is the newest; 0: there is none. */
static uint32_t find(const dg_blocklist *list, const dg_rule *rule)
{
    uint32_t at = list->root, found = 0;
    while (at != 0) {
        const dg_blocklist_node *node = &list->nodes[at];
        if (dg_rule_compare(rule, &node->rule) == 0)
            found = at;
        at = node->below[side_of(rule, node)];
    }
    return found;
}

/* ---- The order of `rules` */

static uint32_t *newest_like(dg_blocklist *list, const dg_rule *rule)
{
    return &list->newest[rule->kind];
}

static void link_newest(dg_blocklist *list, uint32_t new)
{
    dg_blocklist_node *nodes = list->nodes;
    uint32_t *newest = newest_like(list, &nodes[new].rule);
    nodes[new].newer = 0;
    nodes[new].older = *newest;
    if (*newest != 0)
        nodes[*newest].newer = new;
    *newest = new;
}

static void unlink_node(dg_blocklist *list, uint32_t old)
{
    dg_blocklist_node *nodes = list->nodes;
    uint32_t newer = nodes[old].newer, older = nodes[old].older;
    if (older != 0)
        nodes[older].newer = newer;
    if (newer != 0)
        nodes[newer].older = older;
    else
        *newest_like(list, &nodes[old].rule) = older;
}

/* ---- Rules */

int dg_blocklist_reserve(dg_blocklist *list, size_t more)
{
    const size_t most = SIZE_MAX / sizeof *list->nodes < UINT32_MAX ? SIZE_MAX / sizeof *list->nodes : UINT32_MAX;
    if (list->ended || more > most - 1 - list->count)
        return -ENOMEM;
    size_t wanted = list->count + more + 1; /* index 0 is none */
    if (wanted <= list->room)
        return 0;
    size_t room = list->room != 0 ? list->room : FIRST_ROOM;
    while (room < wanted)
        room = room <= most / 2 ? 2 * room : most;
    dg_blocklist_node *nodes = realloc(list->nodes, room * sizeof *nodes);
    if (nodes == NULL)
        return -ENOMEM;
    list->nodes = nodes;
    list->room = room;
    return 0;
}

/* Returns an index that no rule uses. */
static uint32_t new_node(dg_blocklist *list)
{
    uint32_t new = list->spare;
    if (new != 0)
        list->spare = list->nodes[new].below[LEFT];
    else
        new = ++list->used;
    return new;
}

void dg_blocklist_add(dg_blocklist *list, const dg_rule *rule)
{
    uint32_t same = rule->kind == DG_RULE_ADDRESS ? find(list, rule) : 0;
    if (same != 0) {
        list->nodes[same].rule.is_ipv6 = rule->is_ipv6;
        return;
    }
    uint32_t new = new_node(list);
    dg_blocklist_node *node = &list->nodes[new];
    node->first = rule->first;
    node->below[LEFT] = node->below[RIGHT] = 0;
    node->rule = *rule;
    list->root = insert(list->nodes, list->root, new);
    link_newest(list, new);
    list->count++;
}

void dg_blocklist_remove(dg_blocklist *list, const dg_rule *rule)
{
    uint32_t old = find(list, rule);
    if (old == 0)
        return;
    list->root = take_out(list->nodes, list->root, old);
    unlink_node(list, old);
    list->nodes[old].below[LEFT] = list->spare;
    list->spare = old;
    if (--list->count == 0)
        dg_blocklist_clear(list);
}

void dg_blocklist_clear(dg_blocklist *list)
{
    unsigned char ended = list->ended;
    free(list->nodes);
    memset(list, 0, sizeof *list);
    list->ended = ended;
}

size_t dg_blocklist_rules(const dg_blocklist *list, dg_rule *out, size_t most)
{
    size_t count = 0;
    for (int i = 0; i < DG_RULE_KINDS; i++)
        for (uint32_t at = list->newest[i]; at != 0 && count < most; at = list->nodes[at].older)
            out[count++] = list->nodes[at].rule;
    return count;
}

int dg_blocklist_has_key(const dg_blocklist *list, dg_key key)
{
    for (uint32_t at = list->root; at != 0;) {
        const dg_blocklist_node *node = &list->nodes[at];
        if (dg_key_less(key, node->first))
            at = node->below[LEFT]; /* those on the right begin later still */
        else if (dg_key_less(node->reach, key))
            at = node->below[RIGHT]; /* none on the left reaches the key */
        else
            return 1;
    }
    return 0;
}

int dg_blocklist_has(const dg_blocklist *list, const dg_address *address)
{
    if (address->length == 0 || address->u.any.sa_family == AF_UNIX)
        return 0;
    return dg_blocklist_has_key(list, dg_key_of(address));
}

void dg_blocklist_free(dg_blocklist *list)
{
    dg_blocklist_clear(list);
    list->ended = 1;
}
