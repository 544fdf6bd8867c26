/* SPDX-License-Identifier: MIT */
/* A rule of a block list: which addresses it contains, and its text. IPv4 addresses are mapped IPv6 addresses here, so
 * that a rule contains both forms of an address. Lists of rules are blocklist.h's affair. */
#ifndef DG_NET_RULE_H
#define DG_NET_RULE_H

#include <stdint.h>

#include "address.h"

DG_HIDDEN_BEGIN

/* An address as a number of 128 bits. */
typedef struct dg_key {
    uint64_t high, low;
} dg_key;

enum { DG_RULE_ADDRESS, DG_RULE_SUBNET, DG_RULE_RANGE, DG_RULE_KINDS }; /* in the order of `rules` */

typedef struct dg_rule {
    dg_key first, last;
    dg_key written;                      /* the address that a subnet was given by; of other rules the first one */
    unsigned char kind, prefix, is_ipv6; /* the prefix counts bits of the rule's own family */
} dg_rule;

/* Room for any rule's text. */
#define DG_RULE_TEXT (2 * INET6_ADDRSTRLEN + 16)

/* What the readers of texts return. */
enum dg_rule_status {
    DG_RULE_GOOD,
    DG_RULE_NONE,        /* dg_rule_parse: the text is no rule's */
    DG_RULE_BAD_ADDRESS, /* not a literal of the family */
    DG_RULE_NO_PREFIX,   /* dg_rule_cidr: there is none, or it is no whole number */
    DG_RULE_BAD_PREFIX,  /* out of the family's range */
    DG_RULE_BAD_ORDER,   /* dg_rule_parse: the end of a range comes before its start */
};

/* Reads a rule from the text of an address of `family` (AF_INET or AF_INET6); a zone is ignored. */
int dg_rule_address(dg_rule *out, int family, const char *text, size_t length);
/* Reads a rule from a text like "192.0.2.0/24". The text says the family, which is stored even when it returns an
 * error. */
int dg_rule_cidr(dg_rule *out, int family, const char *text, size_t length);
/* Reads a rule from a text that dg_rule_format wrote, whatever stands around it. */
int dg_rule_parse(dg_rule *out, int family, const char *text, size_t length);

/* Make the range between two addresses' rules, and the subnet around one. The prefix is valid for the family. */
void dg_rule_range(dg_rule *out, const dg_rule *first, const dg_rule *last);
void dg_rule_subnet(dg_rule *out, const dg_rule *address, unsigned prefix);

size_t dg_rule_format(const dg_rule *rule, char text[DG_RULE_TEXT]);
/* Compares by the first address, then by the last one, then by what else distinguishes rules: less than, equal to or
 * greater than 0. Rules for one address are equal whichever family they name. */
int dg_rule_compare(const dg_rule *a, const dg_rule *b);

/* Returns the key of an IPv4 or IPv6 address. */
dg_key dg_key_of(const dg_address *address);
static inline int dg_key_less(dg_key a, dg_key b)
{
    return a.high != b.high ? a.high < b.high : a.low < b.low;
}
/* Returns the longest prefix of the rule's family. */
static inline unsigned dg_rule_width(const dg_rule *rule)
{
    return rule->is_ipv6 ? 128 : 32;
}

DG_HIDDEN_END

#endif
