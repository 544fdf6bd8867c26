/* SPDX-License-Identifier: MIT */
/* A rule of a block list: which addresses it has, and its text. IPv4 addresses are their mapped IPv6 ones here, so that
 * either form of an address meets the rules of the other. Knows nothing of lists. */
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
    dg_key written;                      /* of a subnet: the address that it was given by; elsewhere the first */
    unsigned char kind, prefix, is_ipv6; /* the prefix counts the bits of the address's own family */
} dg_rule;

/* Room for any rule's text. */
#define DG_RULE_TEXT (2 * INET6_ADDRSTRLEN + 16)

/* What the readers of texts answer. */
enum dg_rule_status {
    DG_RULE_GOOD,
    DG_RULE_NONE,        /* dg_rule_parse: the text is no rule's */
    DG_RULE_BAD_ADDRESS, /* not a literal of the family */
    DG_RULE_NO_PREFIX,   /* dg_rule_cidr: there is none, or it is no whole number */
    DG_RULE_BAD_PREFIX,  /* out of the family's range */
    DG_RULE_BAD_ORDER,   /* dg_rule_parse: the end of a range comes before its start */
};

/* Reads one from the text of an address of `family` (AF_INET or AF_INET6); a zone is left out. */
int dg_rule_address(dg_rule *out, int family, const char *text, size_t length);
/* From "192.0.2.0/24"; its own text says the family, which is told in the rule when something is wrong, too. */
int dg_rule_cidr(dg_rule *out, int family, const char *text, size_t length);
/* From what dg_rule_format writes, whatever stands around it. */
int dg_rule_parse(dg_rule *out, int family, const char *text, size_t length);

/* Of two addresses' rules: the range between them, the subnet around one. The prefix is in the family's range. */
void dg_rule_range(dg_rule *out, const dg_rule *first, const dg_rule *last);
void dg_rule_subnet(dg_rule *out, const dg_rule *address, unsigned prefix);

size_t dg_rule_format(const dg_rule *rule, char text[DG_RULE_TEXT]);
/* Less than, equal to or greater than 0: by the first address, then by the last one, then by what else tells rules
 * apart. Rules for one address are equal whichever family they name. */
int dg_rule_compare(const dg_rule *a, const dg_rule *b);

/* Of an IPv4 or IPv6 address. */
dg_key dg_key_of(const dg_address *address);
static inline int dg_key_less(dg_key a, dg_key b)
{
    return a.high != b.high ? a.high < b.high : a.low < b.low;
}
/* The most that a prefix may be. */
static inline unsigned dg_rule_width(const dg_rule *rule)
{
    return rule->is_ipv6 ? 128 : 32;
}

DG_HIDDEN_END

#endif
