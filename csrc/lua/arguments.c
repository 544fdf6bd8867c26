/* SPDX-License-Identifier: MIT */
#include "arguments.h"

#include <string.h>

#include "error.h"

unsigned dg_argument_port(lua_State *L, int index, unsigned least)
{
    int64_t port;
    if (dg_isinteger(L, index, &port) && port >= (int64_t)least && port <= 65535)
        return (unsigned)port;
    dg_error_raise(L, "RangeError", "ERR_SOCKET_BAD_PORT", "Port should be %s 0 and < 65536. Received %s.",
                   least == 0 ? ">=" : ">", dg_error_received(L, index));
    return 0;
}

/* Raises unless the value is a string that is not empty and has no NUL byte; the first byte may be one if
 * `nul_may_lead`. */
static const char *text_argument(lua_State *L, int index, const char *name, int nul_may_lead)
{
    size_t length;
    if (lua_type(L, index) != LUA_TSTRING)
        dg_error_arg_type(L, index, name, "a string");
    const char *text = lua_tolstring(L, index, &length);
    if (length == 0)
        dg_error_raise(L, "TypeError", "ERR_INVALID_ARG_VALUE", "The \"%s\" argument must not be empty", name);
    if (strlen(text) != length && !(nul_may_lead && text[0] == '\0'))
        dg_error_raise(L, "TypeError", "ERR_INVALID_ARG_VALUE", "The \"%s\" argument must not contain a NUL byte",
                       name);
    return text;
}

const char *dg_argument_address(lua_State *L, int index, const char *name)
{
    return text_argument(L, index, name, 0);
}

const char *dg_argument_path(lua_State *L, int index, const char *name)
{
    return text_argument(L, index, name, 1);
}

/* Returns the sum, or a length that no datagram can have: a list that has a large string many times is longer than 32
 * bits can count. */
static size_t add_bytes(size_t bytes, size_t more)
{
    return more <= PTRDIFF_MAX - bytes ? bytes + more : PTRDIFF_MAX;
}

/* Raises unless the table at the index holds only strings. Returns how many, and adds up their bytes if `bytes` is not
 * NULL. Values are popped a few at a time, because lua_settop costs more than looking at one value. */
static size_t take_list(lua_State *L, int index, const char *name, const char *expected, size_t *bytes)
{
    const int top = lua_gettop(L);
    const size_t count = dg_rawlen(L, index);
    for (size_t i = 1; i <= count; i++) {
        if (dg_rawgeti(L, index, i) != LUA_TSTRING)
            dg_error_arg_type(L, lua_gettop(L), name, expected);
        if (bytes != NULL)
            *bytes = add_bytes(*bytes, dg_rawlen(L, -1));
        if (i % DG_POP_AT_ONCE == 0)
            lua_settop(L, top);
    }
    lua_settop(L, top);
    return count;
}

static void take_payload(lua_State *L, dg_payload *out)
{
    out->index = 2;
    out->parts = 0;
    out->text = NULL;
    out->length = 0;
    if (lua_type(L, 2) == LUA_TSTRING)
        out->text = lua_tolstring(L, 2, &out->length);
    else if (lua_istable(L, 2))
        out->parts = take_list(L, 2, "msg", "a string, or a list of strings", &out->length);
    else
        dg_error_arg_type(L, 2, "msg", "a string, or a list of strings");
}

/* Returns a count of bytes; nil stands for `absent`. A count above every string's length is cut, which makes no
 * difference. */
static size_t take_count(lua_State *L, int index, const char *name, size_t absent)
{
    int64_t count = 0;
    if (lua_isnoneornil(L, index))
        return absent;
    if (lua_type(L, index) != LUA_TNUMBER)
        dg_error_arg_type(L, index, name, "a number");
    if (!dg_isinteger(L, index, &count) || count < 0)
        dg_error_range(L, index, name, "an integer of 0 or more");
    return count < PTRDIFF_MAX ? (size_t)count : PTRDIFF_MAX;
}

static void take_slice(lua_State *L, dg_payload *out)
{
    if (out->text == NULL)
        dg_error_arg_type(L, 2, "msg", "a string when offset and length are given");
    size_t offset = take_count(L, 3, "offset", 0);
    if (offset > out->length)
        dg_error_raise(L, "RangeError", "ERR_BUFFER_OUT_OF_BOUNDS", "\"offset\" is outside of the message");
    size_t length = take_count(L, 4, "length", out->length - offset);
    if (length > out->length - offset)
        dg_error_raise(L, "RangeError", "ERR_BUFFER_OUT_OF_BOUNDS", "\"length\" is outside of the message");
    out->text += offset;
    out->length = length;
}

static int is_absent(lua_State *L, int index)
{
    return lua_isnoneornil(L, index);
}

/* Reads the callback, the last argument, if it is there. */
static void take_callback(lua_State *L, dg_arguments *out, int at)
{
    if (!is_absent(L, at)) {
        if (!lua_isfunction(L, at))
            dg_error_arg_type(L, at, "callback", "a function");
        out->callback = at;
    }
    dg_error_surplus(L, at);
}

/* Reads [options] [, callback] from `at` on. */
static void take_tail(lua_State *L, dg_arguments *out, int at)
{
    if (lua_istable(L, at))
        out->options = at++;
    else if (is_absent(L, at) && lua_isfunction(L, at + 1))
        at++;
    take_callback(L, out, at);
}

/* Reads port [, address] from `at` on, and the tail; without an address the tail may be in its place. */
static void take_port(lua_State *L, dg_arguments *out, int at)
{
    int next = at + 1;
    out->port = dg_argument_port(L, at, 1);
    if (!is_absent(L, next) && !lua_isfunction(L, next) && !lua_istable(L, next)) {
        if (lua_type(L, next) != LUA_TSTRING)
            dg_error_arg_type(L, next, "address", "a string");
        out->address = next;
    }
    take_tail(L, out, out->address != 0 || is_absent(L, next) ? next + 1 : next);
}

/* path [, callback] */
static void take_path(lua_State *L, dg_arguments *out, int at)
{
    dg_argument_path(L, at, "path");
    out->address = at;
    take_tail(L, out, at + 1);
}

/* [callback] */
static void take_nothing(lua_State *L, dg_arguments *out, int at)
{
    out->to_peer = 1;
    for (int index = at; index <= lua_gettop(L); index++)
        if (!is_absent(L, index) && !lua_isfunction(L, index) && !lua_istable(L, index))
            dg_error_raise(L, "Error", "ERR_SOCKET_DGRAM_IS_CONNECTED",
                           "Already connected: a connected socket's send takes no port, address or path");
    take_tail(L, out, at);
}

static void take_destination(lua_State *L, enum dg_form form, dg_arguments *out, int at)
{
    out->to_peer = out->address = out->options = out->callback = 0;
    out->port = 0;
    if (form == DG_FORM_PORT)
        take_port(L, out, at);
    else if (form == DG_FORM_PATH)
        take_path(L, out, at);
    else
        take_nothing(L, out, at);
}

static int is_plain(lua_State *L, int index)
{
    return !is_absent(L, index) && !lua_isfunction(L, index) && !lua_istable(L, index);
}

/* Returns whether offset and length are given: as in Node, if a destination follows them; a connected socket has
 * none. */
static int is_sliced(lua_State *L, enum dg_form form)
{
    if (form == DG_FORM_PEER)
        return lua_type(L, 4) == LUA_TNUMBER;
    if (form == DG_FORM_PATH && lua_type(L, 3) == LUA_TSTRING)
        return 0;
    return is_plain(L, 5) || is_plain(L, 6);
}

void dg_arguments_of_send(lua_State *L, enum dg_form form, dg_arguments *out)
{
    if (form == DG_FORM_PORT && dg_arguments_plain(L, out))
        return;
    take_payload(L, &out->payload);
    int sliced = is_sliced(L, form);
    if (sliced)
        take_slice(L, &out->payload);
    take_destination(L, form, out, sliced ? 5 : 3);
}

void dg_arguments_of_reply(lua_State *L, dg_payload *out)
{
    take_payload(L, out);
    if (!lua_istable(L, 3))
        dg_error_arg_type(L, 3, "rinfo", "a table, as listeners get it");
    if (!is_absent(L, 4) && !lua_isfunction(L, 4))
        dg_error_arg_type(L, 4, "callback", "a function");
    dg_error_surplus(L, 4);
}

void dg_arguments_of_send_many(lua_State *L, enum dg_form form, dg_arguments *out)
{
    if (!lua_istable(L, 2))
        dg_error_arg_type(L, 2, "list", "a list of strings");
    out->payload.parts = take_list(L, 2, "list", "a list of strings", NULL);
    take_destination(L, form, out, 3);
}

void dg_arguments_of_sendto(lua_State *L, enum dg_form form, dg_arguments *out)
{
    take_payload(L, &out->payload);
    for (int index = 3; index <= 4; index++)
        if (lua_type(L, index) != LUA_TNUMBER)
            dg_error_arg_type(L, index, index == 3 ? "offset" : "length", "a number");
    take_slice(L, &out->payload);
    take_destination(L, form, out, 5);
    if (out->address == 0 && form == DG_FORM_PORT)
        dg_error_arg_type(L, 6, "address", "a string");
    if (out->options != 0)
        dg_error_arg_type(L, out->options, "callback", "a function");
}

int dg_payload_copy_list(lua_State *L, const dg_payload *payload, char *place)
{
    size_t left = payload->length;
    for (size_t part = 1; part <= payload->parts; part++) {
        size_t length = 0;
        const char *text = dg_rawgeti(L, payload->index, part) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
        if (text == NULL || length > left) {
            lua_pop(L, 1);
            return -1;
        }
        memcpy(place, text, length);
        place += length;
        left -= length;
        lua_pop(L, 1);
    }
    return left == 0 ? 0 : -1;
}

void dg_payload_push(lua_State *L, const dg_payload *payload)
{
    luaL_Buffer buffer;
    if (payload->text != NULL) {
        lua_pushlstring(L, payload->text, payload->length);
        return;
    }
    luaL_buffinit(L, &buffer);
    for (size_t part = 1; part <= payload->parts; part++) {
        lua_rawgeti(L, payload->index, (int)part);
        luaL_addvalue(&buffer);
    }
    luaL_pushresult(&buffer);
}
