/* SPDX-License-Identifier: MIT */
/* The forms of the send methods' arguments. They are checked here before anything is acquired. The text of an address
 * is only checked when it is parsed (net/address.h). */
#ifndef DG_LUA_ARGUMENTS_H
#define DG_LUA_ARGUMENTS_H

#include <string.h>

#include "../net/attributes.h"
#include "compat.h"

DG_HIDDEN_BEGIN

enum { DG_POP_AT_ONCE = 8 }; /* values that a loop may leave on the stack; LUA_MINSTACK gives it room for 20 */

/* The payload of one datagram: a slice of a string, or the strings of a list one after the other. */
typedef struct dg_payload {
    int index;        /* stack index of the string or the list */
    size_t parts;     /* strings of the list */
    const char *text; /* first byte of the slice of the string; NULL for a list */
    size_t length;    /* bytes of the datagram */
} dg_payload;

typedef struct dg_arguments {
    dg_payload payload;
    int to_peer; /* to the connected peer: no port, no address */
    unsigned port;
    int address;  /* stack index of the address; 0: none. It is a string that is not parsed yet. */
    int options;  /* stack index of the table of options, whose contents are not checked; 0: none */
    int callback; /* stack index of the function; 0: none */
} dg_arguments;

/* What stands behind the message: port [, address]; a path; or nothing. */
enum dg_form { DG_FORM_PORT, DG_FORM_PATH, DG_FORM_PEER };

/* Read the most common form, (self, string, port, address [, callback]), or to the peer (self, string [, callback]).
 * Return 0 for any other form and for wrong arguments; raise nothing. */
static inline int dg_arguments_plain(lua_State *L, dg_arguments *out);
static inline int dg_arguments_plain_to_peer(lua_State *L, dg_arguments *out);
/* (self, msg [, offset, length] <destination> [, options] [, callback]) */
void dg_arguments_of_send(lua_State *L, enum dg_form form, dg_arguments *out);
/* (self, msg, rinfo [, callback]) */
void dg_arguments_of_reply(lua_State *L, dg_payload *out);
/* (self, list <destination> [, options] [, callback]); of the payload only `parts` is set. */
void dg_arguments_of_send_many(lua_State *L, enum dg_form form, dg_arguments *out);
/* (self, msg, offset, length <destination, all of it> [, callback]) */
void dg_arguments_of_sendto(lua_State *L, enum dg_form form, dg_arguments *out);

/* Writes the datagram's bytes, never more than payload->length. Returns 0, or -1 where a finalizer has changed the list
 * since its length was taken. Raises nothing. */
static inline int dg_payload_copy(lua_State *L, const dg_payload *payload, char *place);
int dg_payload_copy_list(lua_State *L, const dg_payload *payload, char *place);
/* Pushes them as a string. */
void dg_payload_push(lua_State *L, const dg_payload *payload);

/* Raises unless the value is an integral number from `least` to 65535; returns it. */
unsigned dg_argument_port(lua_State *L, int index, unsigned least);
/* Raises unless the value is a string that is not empty and has no NUL byte. */
const char *dg_argument_address(lua_State *L, int index, const char *name);

/* Raises unless the value is a Unix path, or an abstract name, which begins with a NUL byte. */
const char *dg_argument_path(lua_State *L, int index, const char *name);

static inline int dg_arguments_plain(lua_State *L, dg_arguments *out)
{
    int top = lua_gettop(L);
    int64_t port;
    if ((top != 4 && top != 5) || lua_type(L, 4) != LUA_TSTRING || lua_type(L, 2) != LUA_TSTRING ||
        (top == 5 && !lua_isfunction(L, 5)) || !dg_isinteger(L, 3, &port) || port < 1 || port > 65535)
        return 0;
    out->payload.index = 2;
    out->payload.text = lua_tolstring(L, 2, &out->payload.length);
    out->to_peer = 0;
    out->port = (unsigned)port;
    out->address = 4;
    out->options = 0;
    out->callback = top == 5 ? 5 : 0;
    return 1;
}

static inline int dg_arguments_plain_to_peer(lua_State *L, dg_arguments *out)
{
    int top = lua_gettop(L);
    if ((top != 2 && top != 3) || lua_type(L, 2) != LUA_TSTRING || (top == 3 && !lua_isfunction(L, 3)))
        return 0;
    out->payload.index = 2;
    out->payload.text = lua_tolstring(L, 2, &out->payload.length);
    out->to_peer = 1;
    out->port = 0;
    out->address = 0;
    out->options = 0;
    out->callback = top == 3 ? 3 : 0;
    return 1;
}

static inline int dg_payload_copy(lua_State *L, const dg_payload *payload, char *place)
{
    if (payload->text == NULL)
        return dg_payload_copy_list(L, payload, place);
    memcpy(place, payload->text, payload->length);
    return 0;
}

DG_HIDDEN_END

#endif
