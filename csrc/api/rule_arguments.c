/* SPDX-License-Identifier: MIT */
#include "rule_arguments.h"

#include <strings.h>

#include "../lua/error.h"

static const char *name_of(lua_State *L, dg_argument which)
{
    return which.entry == 0 ? which.name : lua_pushfstring(L, "%s[%d]", which.name, which.entry);
}

const char *dg_rule_check_string(lua_State *L, int index, dg_argument which, size_t *length)
{
    if (lua_type(L, index) != LUA_TSTRING)
        dg_error_arg_type(L, index, name_of(L, which), "a string");
    return lua_tolstring(L, index, length);
}

const char *dg_rule_check_family(lua_State *L, int index)
{
    return lua_isnoneornil(L, index) ? NULL : dg_rule_check_string(L, index, (dg_argument){"family", 0}, NULL);
}

int dg_rule_is_family(lua_State *L, int index, const char *family)
{
    return dg_rawlen(L, index) == strlen(family) && strcasecmp(lua_tostring(L, index), family) == 0;
}

static int check_family(lua_State *L, int index)
{
    const char *text = dg_rule_check_family(L, index);
    if (text == NULL || dg_rule_is_family(L, index, "ipv4"))
        return AF_INET;
    if (!dg_rule_is_family(L, index, "ipv6"))
        dg_error_raise(L, "TypeError", "ERR_INVALID_ARG_VALUE",
                       "The \"family\" argument must be \"ipv4\" or \"ipv6\". Received \"%s\"", text);
    return AF_INET6;
}

/* Raises what a reader of a text at `index` found wrong; `what` says what it should be. */
static int raise_status(lua_State *L, int index, dg_argument which, int status, const dg_rule *rule, const char *what)
{
    int is_ipv6 = rule->is_ipv6;
    switch (status) {
    case DG_RULE_BAD_PREFIX:
        return dg_error_range(L, index, name_of(L, which),
                              is_ipv6 ? "a subnet with a prefix >= 0 and <= 128"
                                      : "a subnet with a prefix >= 0 and <= 32");
    case DG_RULE_NO_PREFIX:
        return dg_error_raise(L, "TypeError", "ERR_INVALID_ARG_VALUE",
                              "The \"%s\" argument must end in a prefix, as \"192.0.2.0/24\" does. Received \"%s\"",
                              name_of(L, which), lua_tostring(L, index));
    case DG_RULE_BAD_ORDER:
        return dg_error_raise(L, "TypeError", "ERR_INVALID_ARG_VALUE",
                              "The \"%s\" argument must be a range whose start comes before its end. Received \"%s\"",
                              name_of(L, which), lua_tostring(L, index));
    default:
        return dg_error_raise(L, "Error", "ERR_INVALID_ADDRESS",
                              "The \"%s\" argument must be an IPv%d %s. Received \"%s\"", name_of(L, which),
                              is_ipv6 ? 6 : 4, what, lua_tostring(L, index));
    }
}

const dg_rule_reader dg_rule_addresses = {dg_rule_address, "address"};
const dg_rule_reader dg_rule_cidrs = {dg_rule_cidr, "subnet"};
const dg_rule_reader dg_rule_texts = {dg_rule_parse, "rule"};

int dg_rule_read(lua_State *L, int index, dg_argument which, const dg_rule_reader *how, int family, dg_rule *out)
{
    size_t length;
    const char *text = dg_rule_check_string(L, index, which, &length);
    int status = how->read(out, family != 0 ? check_family(L, family) : AF_INET, text, length);
    if (status != DG_RULE_GOOD && status != DG_RULE_NONE)
        raise_status(L, index, which, status, out, how->what);
    return status == DG_RULE_GOOD;
}

/* ---- Rules from the arguments of a method */

void dg_rule_read_address(lua_State *L, dg_rule *out)
{
    dg_error_surplus(L, 3);
    dg_rule_read(L, 2, (dg_argument){"address", 0}, &dg_rule_addresses, 3, out);
}

void dg_rule_read_range(lua_State *L, dg_rule *out)
{
    dg_rule first, last;
    dg_error_surplus(L, 4);
    dg_rule_read(L, 2, (dg_argument){"start", 0}, &dg_rule_addresses, 4, &first);
    dg_rule_read(L, 3, (dg_argument){"end", 0}, &dg_rule_addresses, 4, &last);
    dg_rule_range(out, &first, &last);
}

void dg_rule_read_subnet(lua_State *L, dg_rule *out)
{
    dg_rule address;
    int64_t prefix = 0;
    dg_error_surplus(L, 4);
    dg_rule_read(L, 2, (dg_argument){"network", 0}, &dg_rule_addresses, 4, &address);
    if (lua_type(L, 3) != LUA_TNUMBER)
        dg_error_arg_type(L, 3, "prefix", "a number");
    if (!dg_isinteger(L, 3, &prefix) || prefix < 0 || prefix > (int64_t)dg_rule_width(&address))
        dg_error_range(L, 3, "prefix", address.is_ipv6 ? "an integer >= 0 and <= 128" : "an integer >= 0 and <= 32");
    dg_rule_subnet(out, &address, (unsigned)prefix);
}

void dg_rule_read_cidr(lua_State *L, dg_rule *out)
{
    dg_error_surplus(L, 2);
    dg_rule_read(L, 2, (dg_argument){"cidr", 0}, &dg_rule_cidrs, 0, out);
}
