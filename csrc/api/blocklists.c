/* SPDX-License-Identifier: MIT */
#include "blocklists.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "../lua/error.h"
#include "../loop/state.h"
#include "rule_arguments.h"

/* The list at an index, or NULL. */
static dg_blocklist *list_at(lua_State *L, int index)
{
    dg_blocklist *list = lua_touserdata(L, index);
    if (list == NULL || !lua_getmetatable(L, index))
        return NULL;
    dg_registry_get(L, DG_REGISTRY_BLOCKLIST);
    int ours = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return ours ? list : NULL;
}

dg_blocklist *dg_blocklists_check(lua_State *L, int index, const char *name)
{
    dg_blocklist *list = list_at(L, index);
    if (list == NULL)
        dg_error_arg_type(L, index, name, "a dgram.BlockList");
    return list;
}

static dg_blocklist *check_self(lua_State *L)
{
    return dg_blocklists_check(L, 1, "self");
}

/* ---- Methods */

static void reserve(lua_State *L, dg_blocklist *list, size_t count, const char *method)
{
    if (dg_blocklist_reserve(list, count) != 0)
        dg_error_raise_system(L, -ENOMEM, method, NULL);
}

static int add(lua_State *L, void (*read)(lua_State *, dg_rule *), const char *method)
{
    dg_blocklist *list = check_self(L);
    dg_rule rule;
    read(L, &rule);
    if (dg_key_less(rule.last, rule.first))
        return dg_error_raise(L, "TypeError", "ERR_INVALID_ARG_VALUE",
                              "The \"start\" argument must come before \"end\"");
    reserve(L, list, 1, method);
    dg_blocklist_add(list, &rule);
    return 0;
}

static int add_address(lua_State *L)
{
    return add(L, dg_rule_read_address, "addAddress");
}

static int add_range(lua_State *L)
{
    return add(L, dg_rule_read_range, "addRange");
}

static int add_subnet(lua_State *L)
{
    return add(L, dg_rule_read_subnet, "addSubnet");
}

static int add_cidr(lua_State *L)
{
    return add(L, dg_rule_read_cidr, "addCIDR");
}

/* Returns whether the table is a list. A table with keys only, such as a set of addresses, is none: its entries would
 * be ignored. */
static int is_list(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TTABLE)
        return 0;
    if (dg_rawlen(L, index) != 0)
        return 1;
    lua_pushnil(L);
    if (lua_next(L, index) == 0)
        return 1;
    lua_pop(L, 2);
    return 0;
}

/* Adds all rules of the list of texts at index 2, or none. The list is read twice: first to check and count the rules,
 * then, when there is room, to add them. No Lua memory is allocated in between, so the texts cannot change. */
static int add_all(lua_State *L, const char *name, const dg_rule_reader *how, int family, const char *method)
{
    dg_blocklist *list = check_self(L);
    dg_rule rule;
    size_t found = 0;
    dg_error_surplus(L, family != 0 ? family : 2);
    lua_settop(L, 3);
    if (!is_list(L, 2))
        dg_error_arg_type(L, 2, name, "a list of strings");
    if (family != 0)
        dg_rule_check_family(L, family);
    const size_t count = dg_rawlen(L, 2);
    for (int adding = 0; adding < 2; adding++) {
        for (size_t i = 1; i <= count; i++) {
            dg_rawgeti(L, 2, i);
            if (dg_rule_read(L, 4, (dg_argument){name, (int)i}, how, family, &rule)) {
                if (adding)
                    dg_blocklist_add(list, &rule);
                found++;
            }
            lua_pop(L, 1);
        }
        if (!adding)
            reserve(L, list, found, method);
    }
    return 0;
}

/* list:addAddresses(addresses [, family]) */
static int add_addresses(lua_State *L)
{
    return add_all(L, "addresses", &dg_rule_addresses, 3, "addAddresses");
}

/* list:addCIDRs(cidrs) */
static int add_cidrs(lua_State *L)
{
    return add_all(L, "cidrs", &dg_rule_cidrs, 0, "addCIDRs");
}

/* list:fromJSON(data): adds the rules of texts like those of toJSON, in their order; other texts are ignored. */
static int from_json(lua_State *L)
{
    return add_all(L, "data", &dg_rule_texts, 0, "fromJSON");
}

static int take_away(lua_State *L, void (*read)(lua_State *, dg_rule *))
{
    dg_blocklist *list = check_self(L);
    dg_rule rule;
    read(L, &rule);
    dg_blocklist_remove(list, &rule);
    return 0;
}

static int remove_address(lua_State *L)
{
    return take_away(L, dg_rule_read_address);
}

static int remove_range(lua_State *L)
{
    return take_away(L, dg_rule_read_range);
}

static int remove_subnet(lua_State *L)
{
    return take_away(L, dg_rule_read_subnet);
}

static int remove_cidr(lua_State *L)
{
    return take_away(L, dg_rule_read_cidr);
}

static int clear(lua_State *L)
{
    dg_blocklist *list = check_self(L);
    dg_error_surplus(L, 1);
    dg_blocklist_clear(list);
    return 0;
}

/* list:check(address [, family]) -> whether a rule contains it. No rule contains a text that is no address; each family
 * other than "ipv4" is "ipv6" here, as in Node.js. */
static int check(lua_State *L)
{
    const dg_blocklist *list = check_self(L);
    dg_rule rule;
    size_t length;
    dg_error_surplus(L, 3);
    const char *text = dg_rule_check_string(L, 2, (dg_argument){"address", 0}, &length);
    int is_ipv4 = dg_rule_check_family(L, 3) == NULL || dg_rule_is_family(L, 3, "ipv4");
    int status = dg_rule_address(&rule, is_ipv4 ? AF_INET : AF_INET6, text, length);
    lua_pushboolean(L, status == DG_RULE_GOOD && dg_blocklist_has_key(list, rule.first));
    return 1;
}

/* Pushes a list of the rules' texts. A finalizer may change the block list while Lua allocates, so the rules are copied
 * before their texts are made. */
static int push_rules(lua_State *L, const dg_blocklist *list)
{
    size_t room;
    dg_rule *rules;
    do {
        lua_settop(L, 2);
        room = list->count;
        rules = lua_newuserdata(L, (room != 0 ? room : 1) * sizeof *rules);
    } while (list->count > room);
    size_t count = dg_blocklist_rules(list, rules, room);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        char text[DG_RULE_TEXT];
        lua_pushlstring(L, text, dg_rule_format(&rules[i], text));
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

/* list:toJSON() */
static int to_json(lua_State *L)
{
    const dg_blocklist *list = check_self(L);
    dg_error_surplus(L, 1);
    return push_rules(L, list);
}

/* list.rules, list.size. Anything else is a method. */
static int get_field(lua_State *L)
{
    const dg_blocklist *list = check_self(L);
    if (dg_is_text(L, 2, "rules"))
        return push_rules(L, list);
    if (dg_is_text(L, 2, "size")) {
        lua_pushinteger(L, (lua_Integer)list->count);
        return 1;
    }
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    return 1;
}

static int collect(lua_State *L)
{
    dg_blocklist_free(check_self(L));
    return 0;
}

/* ---- dgram.BlockList */

/* dgram.BlockList(); the table itself is the first argument */
static int new_list(lua_State *L)
{
    dg_error_surplus(L, 1);
    dg_blocklist *list = lua_newuserdata(L, sizeof *list);
    memset(list, 0, sizeof *list);
    dg_registry_get(L, DG_REGISTRY_BLOCKLIST);
    lua_setmetatable(L, -2);
    return 1;
}

static int is_block_list(lua_State *L)
{
    dg_error_surplus_function(L, 1);
    lua_pushboolean(L, list_at(L, 1) != NULL);
    return 1;
}

/* BlockList.PRIVATE_RANGES, made anew each time, so that nobody can change it for others. */
static int get_static(lua_State *L)
{
    static const char *const ranges[] = {"10.0.0.0/8", "172.16.0.0/12",  "192.168.0.0/16", "127.0.0.0/8",
                                         "::1/128",    "169.254.0.0/16", "fe80::/10",      "fc00::/7"};
    const int count = (int)(sizeof ranges / sizeof ranges[0]);
    if (lua_type(L, 2) != LUA_TSTRING || strcmp(lua_tostring(L, 2), "PRIVATE_RANGES") != 0)
        return 0;
    lua_createtable(L, count, 0);
    for (int i = 0; i < count; i++) {
        lua_pushstring(L, ranges[i]);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

static const luaL_Reg list_methods[] = {
    {"addAddress", add_address},
    {"addAddresses", add_addresses},
    {"addRange", add_range},
    {"addSubnet", add_subnet},
    {"addCIDR", add_cidr},
    {"addCIDRs", add_cidrs},
    {"removeAddress", remove_address},
    {"removeRange", remove_range},
    {"removeSubnet", remove_subnet},
    {"removeCIDR", remove_cidr},
    {"check", check},
    {"clear", clear},
    {"toJSON", to_json},
    {"fromJSON", from_json},
    {NULL, NULL},
};

static const luaL_Reg statics[] = {{"isBlockList", is_block_list}, {NULL, NULL}};
static const luaL_Reg statics_meta[] = {{"__call", new_list}, {"__index", get_static}, {NULL, NULL}};

void dg_blocklists_open(lua_State *L)
{
    lua_createtable(L, 0, 4);
    lua_pushliteral(L, "dgram.BlockList");
    lua_setfield(L, -2, "__name");
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    lua_createtable(L, 0, 16);
    dg_setfuncs(L, list_methods);
    lua_pushcclosure(L, get_field, 1);
    lua_setfield(L, -2, "__index");
    dg_registry_set(L, DG_REGISTRY_BLOCKLIST);
    lua_createtable(L, 0, 1);
    dg_setfuncs(L, statics);
    lua_createtable(L, 0, 2);
    dg_setfuncs(L, statics_meta);
    lua_setmetatable(L, -2);
    lua_setfield(L, -3, "BlockList"); /* core, methods, table */
}
