/* SPDX-License-Identifier: MIT */
/* Sends to a name: what is to be sent waits in the Lua side until the name was looked up (lua/dgram/lookup.lua), counts
 * against the limit meanwhile, and then goes as if it were sent only now. */
#ifndef DG_SOCKET_SEND_NAMES_H
#define DG_SOCKET_SEND_NAMES_H

#include "../lua/arguments.h"
#include "socket.h"

DG_HIDDEN_BEGIN

/* What is sent: the string or list at an index as `count` datagrams of `bytes` together. */
typedef struct dg_payloads {
    int index;
    size_t count;
    uint64_t bytes; /* of a list more than a size_t may count */
} dg_payloads;

/* Pushes a copy of the list at index 2, which its owner may change while a name is looked up: a finalizer may already.
 */
dg_payloads dg_send_names_copy(lua_State *L);
/* Binds first if need be, then lets the name be looked up; `value` is the callback's second argument if that is
 * refused. Returns whether there is room for more. */
int dg_send_names(lua_State *L, dg_socket *s, const dg_arguments *arguments, const dg_payloads *held, size_t value);

/* Adds core.sendResolved. */
void dg_send_names_open(lua_State *L);

DG_HIDDEN_END

#endif
