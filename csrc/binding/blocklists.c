/* SPDX-License-Identifier: MIT */
#include "blocklists.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "error.h"
#include "hub.h"

dg_blocklist *dg_blocklists_check(lua_State *L, int index, const char *name)
{
    dg_blocklist *list = lua_touserdata(L, index);
    if (list != NULL && lua_getmetatable(L, index)) {
        dg_hub_get(L, DG_STORE_BLOCKLIST);
        int ours = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
        if (ours)
            return list;
    }
    dg_error_arg_type(L, index, name, "a dgram.BlockList");
    return NULL;
}

void dg_blocklists_push_error(lua_State *L, const dg_address *address)
{
    char text[DG_ADDRESS_TEXT];
    dg_address_format(address, text);
    lua_pushcfunction(L, dg_error_new);
    lua_pushliteral(L, "Error");
    lua_pushliteral(L, "ERR_IP_BLOCKED");
    lua_pushfstring(L, "IP(%s) is blocked by the socket's sendBlockList", text);
    lua_createtable(L, 0, 2);
    lua_pushstring(L, text);
    lua_setfield(L, -2, "address");
    lua_pushinteger(L, (lua_Integer)dg_address_port(address));
    lua_setfield(L, -2, "port");
    lua_call(L, 4, 1);
}

static dg_blocklist *check_self(lua_State *L)
{
    return dg_blocklists_check(L, 1, "self");
}

static int family_named(const char *text)
{
    if (strcasecmp(text, "ipv4") == 0)
        return AF_INET;
    return strcasecmp(text, "ipv6") == 0 ? AF_INET6 : AF_UNSPEC;
}

/* The family argument: "ipv4" (or nil) or "ipv6", in any case of letters. */
static int check_family(lua_State *L, int index)
{
    if (lua_isnoneornil(L, index))
        return AF_INET;
    if (lua_type(L, index) != LUA_TSTRING)
        dg_error_arg_type(L, index, "family", "a string");
    const char *text = lua_tostring(L, index);
    int family = family_named(text);
    if (family == AF_UNSPEC)
        dg_error_raise(L, "TypeError", "ERR_INVALID_ARG_VALUE",
                       "The \"family\" argument must be \"ipv4\" or \"ipv6\". Received \"%s\"", text);
    return family;
}

static int parse(lua_State *L, int index, const char *name, int family, dg_address *out)
{
    size_t length;
    if (lua_type(L, index) != LUA_TSTRING)
        dg_error_arg_type(L, index, name, "a string");
    const char *text = lua_tolstring(L, index, &length);
    return strlen(text) == length && dg_address_parse(out, family, 0, text, 0) == 0;
}

static void check_address(lua_State *L, int index, const char *name, int family, dg_address *out)
{
    if (!parse(L, index, name, family, out))
        dg_error_raise(L, "Error", "ERR_INVALID_ADDRESS",
                       "The \"%s\" argument must be an IPv%d address. Received \"%s\"", name,
                       family == AF_INET6 ? 6 : 4, lua_tostring(L, index));
}

/* Adds the range, and its text (on top of the stack, popped) to the rules. */
static int add(lua_State *L, dg_blocklist *list, dg_key_range range, const char *method)
{
    dg_getuservalue(L, 1);
    lua_insert(L, -2);
    lua_rawseti(L, -2, (int)dg_rawlen(L, -2) + 1);
    if (dg_blocklist_add(list, range) != 0) {
        lua_pushnil(L);
        lua_rawseti(L, -2, (int)dg_rawlen(L, -2));
        return dg_error_raise_system(L, -ENOMEM, method, NULL);
    }
    return 0;
}

static const char *family_name(int family)
{
    return family == AF_INET6 ? "IPv6" : "IPv4";
}

/* list:addAddress(address [, family]) */
static int add_address(lua_State *L)
{
    dg_blocklist *list = check_self(L);
    dg_address address;
    char text[DG_ADDRESS_TEXT];
    dg_error_surplus(L, 3);
    int family = check_family(L, 3);
    check_address(L, 2, "address", family, &address);
    dg_key_range range = {dg_key_of(&address), dg_key_of(&address)};
    dg_address_format(&address, text);
    lua_pushfstring(L, "Address: %s %s", family_name(family), text);
    return add(L, list, range, "addAddress");
}

/* list:addRange(start, end [, family]), both ends in it */
static int add_range(lua_State *L)
{
    dg_blocklist *list = check_self(L);
    dg_address first, last;
    char text[DG_ADDRESS_TEXT], end[DG_ADDRESS_TEXT];
    dg_error_surplus(L, 4);
    int family = check_family(L, 4);
    check_address(L, 2, "start", family, &first);
    check_address(L, 3, "end", family, &last);
    dg_key_range range = {dg_key_of(&first), dg_key_of(&last)};
    if (dg_key_less(range.last, range.first))
        return dg_error_raise(L, "TypeError", "ERR_INVALID_ARG_VALUE",
                              "The \"start\" argument must come before \"end\"");
    dg_address_format(&first, text);
    dg_address_format(&last, end);
    lua_pushfstring(L, "Range: %s %s-%s", family_name(family), text, end);
    return add(L, list, range, "addRange");
}

/* list:addSubnet(net, prefix [, family]); prefix in bits */
static int add_subnet(lua_State *L)
{
    dg_blocklist *list = check_self(L);
    dg_address address;
    char text[DG_ADDRESS_TEXT];
    int64_t prefix = 0;
    dg_error_surplus(L, 4);
    int family = check_family(L, 4);
    check_address(L, 2, "net", family, &address);
    if (lua_type(L, 3) != LUA_TNUMBER)
        dg_error_arg_type(L, 3, "prefix", "a number");
    if (!dg_isinteger(L, 3, &prefix) || prefix < 0 || prefix > (family == AF_INET6 ? 128 : 32))
        dg_error_range(L, 3, "prefix", family == AF_INET6 ? "an integer >= 0 and <= 128" : "an integer >= 0 and <= 32");
    dg_address_format(&address, text);
    lua_pushfstring(L, "Subnet: %s %s/%d", family_name(family), text, (int)prefix);
    return add(L, list, dg_key_subnet(&address, (unsigned)prefix), "addSubnet");
}

/* list:check(address [, family]) -> whether a rule has it; what is no address, or of no family, is in none */
static int check(lua_State *L)
{
    const dg_blocklist *list = check_self(L);
    dg_address address;
    dg_error_surplus(L, 3);
    if (lua_type(L, 3) == LUA_TSTRING && family_named(lua_tostring(L, 3)) == AF_UNSPEC) {
        lua_pushboolean(L, 0);
        return 1;
    }
    int family = check_family(L, 3);
    lua_pushboolean(L, parse(L, 2, "address", family, &address) && dg_blocklist_has(list, &address));
    return 1;
}

/* list.rules: their texts, the newest first, in a list of its own. Anything else is a method. */
static int get_field(lua_State *L)
{
    check_self(L);
    if (lua_type(L, 2) != LUA_TSTRING || strcmp(lua_tostring(L, 2), "rules") != 0) {
        lua_pushvalue(L, 2);
        lua_rawget(L, lua_upvalueindex(1));
        return 1;
    }
    dg_getuservalue(L, 1);
    int count = (int)dg_rawlen(L, -1);
    lua_createtable(L, count, 0);
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, -2, count + 1 - i);
        lua_rawseti(L, -2, i);
    }
    return 1;
}

static int collect(lua_State *L)
{
    dg_blocklist_free(check_self(L));
    return 0;
}

/* dgram.BlockList() */
static int new_list(lua_State *L)
{
    dg_error_surplus_function(L, 0);
    dg_blocklist *list = dg_newuserdata(L, sizeof *list, 0);
    lua_pop(L, 1);
    memset(list, 0, sizeof *list);
    dg_hub_get(L, DG_STORE_BLOCKLIST);
    lua_setmetatable(L, -2);
    return 1;
}

static const luaL_Reg list_methods[] = {
    {"addAddress", add_address}, {"addRange", add_range}, {"addSubnet", add_subnet}, {"check", check}, {NULL, NULL},
};

void dg_blocklists_open(lua_State *L)
{
    lua_createtable(L, 0, 4);
    lua_pushliteral(L, "dgram.BlockList");
    lua_setfield(L, -2, "__name");
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    dg_setfuncs(L, list_methods);
    lua_pushcclosure(L, get_field, 1);
    lua_setfield(L, -2, "__index");
    dg_hub_set(L, DG_STORE_BLOCKLIST);
    lua_pushcfunction(L, new_list);
    lua_setfield(L, -3, "BlockList"); /* core, methods, function */
}
