/* SPDX-License-Identifier: MIT */
/* Reads rules from the arguments of a block list's methods. Wrong arguments raise Node.js' errors, with the argument's
 * name. Right ones allocate no Lua memory, so no finalizer runs. */
#ifndef DG_API_RULE_ARGUMENTS_H
#define DG_API_RULE_ARGUMENTS_H

#include "../net/rule.h"
#include "../lua/compat.h"

DG_HIDDEN_BEGIN

/* What messages call a value: an argument (entry 0), or an entry of a list. */
typedef struct dg_argument {
    const char *name;
    int entry;
} dg_argument;

/* How the text of a rule is read, and what messages call such a text. */
typedef struct dg_rule_reader {
    int (*read)(dg_rule *out, int family, const char *text, size_t length);
    const char *what;
} dg_rule_reader;

extern const dg_rule_reader dg_rule_addresses, dg_rule_cidrs, dg_rule_texts;

/* Returns the string; raises ERR_INVALID_ARG_TYPE for anything else. */
const char *dg_rule_check_string(lua_State *L, int index, dg_argument which, size_t *length);
/* Does the same for the family; returns NULL for nil. */
const char *dg_rule_check_family(lua_State *L, int index);
/* Returns whether the string at `index` is a family's name, "ipv4" or "ipv6", in any case of letters. */
int dg_rule_is_family(lua_State *L, int index, const char *family);

/* Reads the rule at `index`; the family is at the index `family`, if that is not 0. Returns whether there is one: only
 * for dg_rule_texts a text may be no rule. */
int dg_rule_read(lua_State *L, int index, dg_argument which, const dg_rule_reader *how, int family, dg_rule *out);

/* The arguments of a method as a whole. */
void dg_rule_read_address(lua_State *L, dg_rule *out); /* (address [, family]) */
void dg_rule_read_range(lua_State *L, dg_rule *out);   /* (start, end [, family]); the end may come first */
void dg_rule_read_subnet(lua_State *L, dg_rule *out);  /* (network, prefix [, family]) */
void dg_rule_read_cidr(lua_State *L, dg_rule *out);    /* (cidr) */

DG_HIDDEN_END

#endif
