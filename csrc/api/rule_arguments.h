/* SPDX-License-Identifier: MIT */
/* Rules from the arguments of a block list's methods. What is wrong is raised as Node.js does, with the argument's
 * name; where all is well Lua allocates nothing, so that no finalizer runs. */
#ifndef DG_API_RULE_ARGUMENTS_H
#define DG_API_RULE_ARGUMENTS_H

#include "../net/rule.h"
#include "../lua/compat.h"

DG_HIDDEN_BEGIN

/* An argument by its name in messages: itself (entry 0), or an entry of the list that it is. */
typedef struct dg_argument {
    const char *name;
    int entry;
} dg_argument;

/* How the text of a rule is read, and what that is called when it is wrong. */
typedef struct dg_rule_reader {
    int (*read)(dg_rule *out, int family, const char *text, size_t length);
    const char *what;
} dg_rule_reader;

extern const dg_rule_reader dg_rule_addresses, dg_rule_cidrs, dg_rule_texts;

/* Raises ERR_INVALID_ARG_TYPE for what is no string. */
const char *dg_rule_check_string(lua_State *L, int index, dg_argument which, size_t *length);
/* The same for the family, which may be nil: NULL. */
const char *dg_rule_check_family(lua_State *L, int index);

/* Reads the rule at `index`; the family is at the index `family`, if that is not 0. Returns whether there is one, which
 * only dg_rule_texts may deny. */
int dg_rule_read(lua_State *L, int index, dg_argument which, const dg_rule_reader *how, int family, dg_rule *out);

/* The arguments of a method as a whole. */
void dg_rule_read_address(lua_State *L, dg_rule *out); /* (address [, family]) */
void dg_rule_read_range(lua_State *L, dg_rule *out);   /* (start, end [, family]); the end may come first */
void dg_rule_read_subnet(lua_State *L, dg_rule *out);  /* (network, prefix [, family]) */
void dg_rule_read_cidr(lua_State *L, dg_rule *out);    /* (cidr) */

DG_HIDDEN_END

#endif
