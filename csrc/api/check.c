/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <string.h>

#include "../lua/arguments.h"
#include "../lua/error.h"
#include "../socket/socket.h"

enum { MOST_PERMISSIONS = 0777 };

/* check.wrongType(value, name, expected) raises a TypeError ERR_INVALID_ARG_TYPE. */
static int check_wrong_type(lua_State *L)
{
    return dg_error_arg_type(L, 1, luaL_checkstring(L, 2), luaL_checkstring(L, 3));
}

/* check.badValue(message) raises a TypeError ERR_INVALID_ARG_VALUE. */
static int check_bad_value(lua_State *L)
{
    return dg_error_raise(L, "TypeError", "ERR_INVALID_ARG_VALUE", "%s", luaL_checkstring(L, 1));
}

/* check.socket(value): the socket itself, which may be closed. */
static int check_socket(lua_State *L)
{
    dg_socket_check(L);
    lua_settop(L, 1);
    return 1;
}

/* check.open(value): a socket that is not closed. */
static int check_open(lua_State *L)
{
    dg_socket_running(L);
    return 0;
}

/* check.fn(value, name): the function itself */
static int check_function(lua_State *L)
{
    if (!lua_isfunction(L, 1))
        dg_error_arg_type(L, 1, luaL_checkstring(L, 2), "a function");
    lua_settop(L, 1);
    return 1;
}

/* check.port(value, least): the port, from `least` to 65535 */
static int check_port(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)dg_argument_port(L, 1, (unsigned)luaL_checkinteger(L, 2)));
    return 1;
}

/* check.callback(value): a function, or nil. Lua's own comparison takes LuaJIT's null pointers for nil, too. */
static int check_callback(lua_State *L)
{
    if (!lua_isnoneornil(L, 1) && !lua_isfunction(L, 1))
        dg_error_arg_type(L, 1, "callback", "a function");
    return 0;
}

/* check.host(value, name): a host name or address, or nil */
static int check_host(lua_State *L)
{
    if (!lua_isnil(L, 1))
        dg_argument_address(L, 1, luaL_checkstring(L, 2));
    return 0;
}

/* check.path(value, name): a Unix path, or an abstract name */
static int check_path(lua_State *L)
{
    dg_argument_path(L, 1, luaL_checkstring(L, 2));
    return 0;
}

/* check.integer(value, name) */
static int check_integer(lua_State *L)
{
    int64_t value;
    if (!dg_isinteger(L, 1, &value))
        dg_error_arg_type(L, 1, luaL_checkstring(L, 2), "an integer");
    return 0;
}

/* check.mode(value, name): the permissions of a file, 0 to 511, from that or from octal digits. */
static int check_mode(lua_State *L)
{
    const char *name = luaL_checkstring(L, 2), *expected = "0 to 511, or octal digits from \"0\" to \"777\"";
    int64_t mode = 0;
    if (lua_type(L, 1) == LUA_TSTRING) {
        size_t length;
        const char *digits = lua_tolstring(L, 1, &length);
        if (length == 0 || strspn(digits, "01234567") != length)
            return dg_error_raise(L, "TypeError", "ERR_INVALID_ARG_VALUE",
                                  "The \"%s\" argument must be %s. Received %s", name, expected,
                                  dg_error_received(L, 1));
        for (; *digits != '\0' && mode <= MOST_PERMISSIONS; digits++)
            mode = 8 * mode + (*digits - '0');
    } else if (lua_type(L, 1) != LUA_TNUMBER) {
        return dg_error_arg_type(L, 1, name, "a number or a string of octal digits");
    } else if (!dg_isinteger(L, 1, &mode)) {
        mode = -1;
    }
    if (mode < 0 || mode > MOST_PERMISSIONS)
        return dg_error_range(L, 1, name, expected);
    lua_pushinteger(L, mode);
    return 1;
}

/* check.notLiteral(address, name, call) raises: a host name, where the call takes literals only. */
static int check_not_literal(lua_State *L)
{
    return dg_error_raise(L, "TypeError", "ERR_INVALID_ARG_VALUE",
                          "The argument '%s' must be a numeric IP address; %s does not perform DNS resolution. "
                          "Received '%s'",
                          luaL_checkstring(L, 2), luaL_checkstring(L, 3), luaL_checkstring(L, 1));
}

/* check.surplus(most, ...) raises when one of the values past `most` is not nil. */
static int check_surplus(lua_State *L)
{
    int most = (int)luaL_checkinteger(L, 1), last = lua_gettop(L);
    for (int index = most + 2; index <= last; index++)
        if (!lua_isnil(L, index))
            dg_error_too_many(L, index, most, index - 1);
    return 0;
}

static const luaL_Reg checks[] = {
    {"wrongType", check_wrong_type},
    {"badValue", check_bad_value},
    {"socket", check_socket},
    {"open", check_open},
    {"fn", check_function},
    {"callback", check_callback},
    {"port", check_port},
    {"host", check_host},
    {"path", check_path},
    {"integer", check_integer},
    {"mode", check_mode},
    {"notLiteral", check_not_literal},
    {"surplus", check_surplus},
    {NULL, NULL},
};

void dg_check_open(lua_State *L)
{
    lua_newtable(L);
    dg_setfuncs(L, checks);
    lua_setfield(L, -3, "check");
}
