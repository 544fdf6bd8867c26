/* SPDX-License-Identifier: MIT */
#include "error.h"

#include <stdarg.h>
#include <string.h>

#include "errno_name.h"
#include "registry.h"

/* Pushes luv's function that runs the loop, or nil. */
static void push_loop_runner(lua_State *L)
{
    dg_registry_get(L, DG_REGISTRY_UV);
    if (!lua_istable(L, -1))
        return;
    lua_pushliteral(L, "run");
    lua_rawget(L, -2);
    lua_remove(L, -2);
}

/* Pops a function, and returns whether it is one of the two values below it. */
static int is_loop(lua_State *L)
{
    int is = lua_isfunction(L, -1) && (lua_rawequal(L, -1, -2) || lua_rawequal(L, -1, -3));
    lua_pop(L, 1);
    return is;
}

/* Pushes "file:line:" of the program's code nearest to the call; dgram's own Lua files are skipped. If the loop has
 * called dgram, it pushes nil, and not the place that runs the loop. */
static void push_where(lua_State *L)
{
    lua_Debug frame;
    size_t length = 0;
    luaL_checkstack(L, 8, NULL);
    const int top = lua_gettop(L);
    dg_registry_get(L, DG_REGISTRY_SOURCE);
    const char *own = lua_tolstring(L, -1, &length);
    dg_registry_get(L, DG_REGISTRY_BODY);
    push_loop_runner(L);
    for (int level = 0; lua_getstack(L, level, &frame); level++) {
        lua_getinfo(L, "fSl", &frame);
        if (is_loop(L))
            break;
        if (frame.currentline <= 0 || (own != NULL && strncmp(frame.source, own, length) == 0))
            continue;
        lua_settop(L, top);
        lua_pushfstring(L, "%s:%d:", frame.short_src, frame.currentline);
        return;
    }
    lua_settop(L, top);
    lua_pushnil(L);
}

/* Returns whether the value at the index is one of dgram's error objects. */
static int is_error(lua_State *L, int index)
{
    if (!lua_istable(L, index) || !lua_getmetatable(L, index))
        return 0;
    dg_registry_get(L, DG_REGISTRY_ERROR);
    int is = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return is;
}

int dg_error_where(lua_State *L)
{
    push_where(L);
    return 1;
}

int dg_error_place(lua_State *L)
{
    lua_settop(L, 2);
    if (!is_error(L, 1))
        return 0;
    lua_getfield(L, 1, "where");
    if (lua_isnil(L, 3)) {
        lua_pushvalue(L, 2);
        lua_setfield(L, 1, "where");
    }
    return 0;
}

int dg_error_push_place(lua_State *L, int index)
{
    index = dg_absindex(L, index);
    if (!is_error(L, index))
        return 0;
    lua_getfield(L, index, "errno");
    int is_system = !lua_isnil(L, -1);
    lua_pop(L, 1);
    lua_getfield(L, index, "where");
    if (is_system && lua_isstring(L, -1))
        return 1;
    lua_pop(L, 1);
    return 0;
}

/* Pops the message; pushes the object. */
static void push_object(lua_State *L, const char *name, const char *code)
{
    lua_createtable(L, 0, 8);
    lua_insert(L, -2);
    lua_setfield(L, -2, "message");
    lua_pushstring(L, name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, code);
    lua_setfield(L, -2, "code");
    push_where(L);
    lua_setfield(L, -2, "where");
    dg_registry_get(L, DG_REGISTRY_ERROR);
    lua_setmetatable(L, -2);
}

int dg_error_raise(lua_State *L, const char *name, const char *code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    lua_pushvfstring(L, format, arguments);
    va_end(arguments);
    push_object(L, name, code);
    return lua_error(L);
}

const char *dg_error_received(lua_State *L, int index)
{
    size_t length;
    const char *text;
    switch (lua_type(L, index)) {
    case LUA_TNONE:
    case LUA_TNIL:
        return lua_pushfstring(L, "nil");
    case LUA_TSTRING:
        text = lua_tolstring(L, index, &length);
        if (length > 28) {
            lua_pushlstring(L, text, 25);
            return lua_pushfstring(L, "type string (\"%s...\")", lua_tostring(L, -1));
        }
        return lua_pushfstring(L, "type string (\"%s\")", text);
    case LUA_TNUMBER:
        lua_pushvalue(L, index);
        return lua_pushfstring(L, "type number (%s)", lua_tostring(L, -1));
    case LUA_TBOOLEAN:
        return lua_pushfstring(L, "type boolean (%s)", lua_toboolean(L, index) ? "true" : "false");
    default:
        return lua_pushfstring(L, "type %s", luaL_typename(L, index));
    }
}

int dg_error_describe(lua_State *L)
{
    dg_error_received(L, 1);
    return 1;
}

int dg_error_arg_type(lua_State *L, int index, const char *argument, const char *expected)
{
    const char *received = dg_error_received(L, index);
    return dg_error_raise(L, "TypeError", "ERR_INVALID_ARG_TYPE", "The \"%s\" argument must be %s. Received %s",
                          argument, expected, received);
}

int dg_error_range(lua_State *L, int index, const char *argument, const char *expected)
{
    const char *received = dg_error_received(L, index);
    return dg_error_raise(L, "RangeError", "ERR_OUT_OF_RANGE",
                          "The value of \"%s\" is out of range. It must be %s. Received %s", argument, expected,
                          received);
}

int dg_error_too_many(lua_State *L, int index, int most, int number)
{
    const char *received = dg_error_received(L, index);
    return dg_error_raise(L, "TypeError", "ERR_INVALID_ARG_VALUE",
                          "Too many arguments: this call takes at most %d. Received %s as number %d", most, received,
                          number);
}

static void surplus(lua_State *L, int last, int self)
{
    for (int index = last + 1; index <= lua_gettop(L); index++)
        if (!lua_isnil(L, index))
            dg_error_too_many(L, index, last - self, index - self);
}

void dg_error_surplus(lua_State *L, int last)
{
    surplus(L, last, 1);
}

void dg_error_surplus_function(lua_State *L, int last)
{
    surplus(L, last, 0);
}

/* Pops the message; pushes the object of a failed system call. */
static void push_system_object(lua_State *L, int error, const char *syscall)
{
    push_object(L, "Error", dg_errno_name(error));
    lua_pushinteger(L, error);
    lua_setfield(L, -2, "errno");
    lua_pushstring(L, syscall);
    lua_setfield(L, -2, "syscall");
}

/* Appends the advice to the message on top of the stack, unless it is NULL. */
static void append_advice(lua_State *L, const char *advice)
{
    if (advice == NULL)
        return;
    lua_pushfstring(L, "%s: %s", lua_tostring(L, -1), advice);
    lua_remove(L, -2);
}

void dg_error_push_system(lua_State *L, int error, const char *syscall, const dg_address *address)
{
    dg_error_push_advised(L, error, syscall, address, NULL);
}

void dg_error_push_advised(lua_State *L, int error, const char *syscall, const dg_address *address, const char *advice)
{
    char text[DG_ADDRESS_TEXT];
    /* A finalizer may change what the address points to as soon as something is allocated. A Unix peer may have no
     * name. */
    size_t length = address != NULL ? dg_address_format(address, text) : 0;
    if (length == 0) {
        lua_pushfstring(L, "%s %s", syscall, dg_errno_name(error));
        append_advice(L, advice);
        push_system_object(L, error, syscall);
        return;
    }
    unsigned port = dg_address_port(address);
    const int family = address->u.any.sa_family;
    if (family == AF_UNIX) { /* abstract names are written with an @ */
        int abstract = text[0] == '\0';
        lua_pushfstring(L, "%s %s %s%s", syscall, dg_errno_name(error), abstract ? "@" : "", text + abstract);
    } else if (port == 0) {
        lua_pushfstring(L, "%s %s %s", syscall, dg_errno_name(error), text);
    } else {
        lua_pushfstring(L, family == AF_INET6 ? "%s %s [%s]:%d" : "%s %s %s:%d", syscall, dg_errno_name(error), text,
                        (int)port);
    }
    append_advice(L, advice);
    push_system_object(L, error, syscall);
    lua_pushlstring(L, text, length);
    lua_setfield(L, -2, "address");
    if (port == 0)
        return;
    lua_pushinteger(L, (lua_Integer)port);
    lua_setfield(L, -2, "port");
}

int dg_error_raise_system(lua_State *L, int error, const char *syscall, const dg_address *address)
{
    dg_error_push_system(L, error, syscall, address);
    return lua_error(L);
}

int dg_error_raise_advised(lua_State *L, int error, const char *syscall, const char *advice)
{
    dg_error_push_advised(L, error, syscall, NULL, advice);
    return lua_error(L);
}

int dg_error_new(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1), *code = luaL_checkstring(L, 2);
    luaL_checkstring(L, 3);
    lua_pushvalue(L, 3);
    push_object(L, name, code);
    if (!lua_istable(L, 4))
        return 1;
    for (lua_pushnil(L); lua_next(L, 4);) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2); /* object, key, key, value */
        lua_rawset(L, -4);
    }
    return 1;
}

int dg_error_new_system(lua_State *L)
{
    int error = (int)luaL_checkinteger(L, 1);
    const char *syscall = luaL_checkstring(L, 2);
    lua_settop(L, 5);
    if (lua_isnil(L, 3))
        lua_pushfstring(L, "%s %s", syscall, dg_errno_name(error));
    else if (lua_isnil(L, 4))
        lua_pushfstring(L, "%s %s %s", syscall, dg_errno_name(error), lua_tostring(L, 3));
    else
        lua_pushfstring(L, strchr(lua_tostring(L, 3), ':') != NULL ? "%s %s [%s]:%d" : "%s %s %s:%d", syscall,
                        dg_errno_name(error), lua_tostring(L, 3), (int)lua_tointeger(L, 4));
    append_advice(L, lua_tostring(L, 5));
    push_system_object(L, error, syscall);
    lua_pushvalue(L, 3);
    lua_setfield(L, -2, "address");
    lua_pushvalue(L, 4);
    lua_setfield(L, -2, "port");
    return 1;
}

void dg_error_push_blocked(lua_State *L, const dg_address *address)
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

void dg_error_push_system_text(lua_State *L, int error, const char *syscall, int index, unsigned port,
                               const char *advice)
{
    index = dg_absindex(L, index);
    lua_pushcfunction(L, dg_error_new_system);
    lua_pushinteger(L, error);
    lua_pushstring(L, syscall);
    lua_pushvalue(L, index);
    if (port != 0)
        lua_pushinteger(L, (lua_Integer)port);
    else
        lua_pushnil(L);
    lua_pushstring(L, advice); /* pushes nil for NULL */
    lua_call(L, 5, 1);
}

/* The text of a system error is like Node's. Errors of wrong arguments, and errors that dgram.run raises, which have a
 * traceback, also say where the call is: nothing else may say so. */
static int error_tostring(lua_State *L)
{
    lua_settop(L, 1);
    if (!lua_istable(L, 1))
        return dg_error_arg_type(L, 1, "self", "an error object");
    lua_getfield(L, 1, "message");
    lua_getfield(L, 1, "code");
    lua_getfield(L, 1, "where");
    lua_getfield(L, 1, "errno");
    lua_getfield(L, 1, "traceback");
    const char *message = lua_tostring(L, 2), *code = lua_tostring(L, 3), *where = lua_tostring(L, 4);
    if (message == NULL)
        lua_pushliteral(L, "dgram.Error");
    else if (!lua_isnil(L, 5) && !lua_isnil(L, 6) && where != NULL)
        lua_pushfstring(L, "%s %s", where, message);
    else if (!lua_isnil(L, 5) || code == NULL)
        lua_pushvalue(L, 2);
    else if (where == NULL)
        lua_pushfstring(L, "%s (%s)", message, code);
    else
        lua_pushfstring(L, "%s %s (%s)", where, message, code);
    return 1;
}

void dg_error_open(lua_State *L)
{
    lua_createtable(L, 0, 2);
    lua_pushliteral(L, "dgram.Error");
    lua_setfield(L, -2, "__name");
    lua_pushcfunction(L, error_tostring);
    lua_setfield(L, -2, "__tostring");
    dg_registry_set(L, DG_REGISTRY_ERROR);
}
