/* SPDX-License-Identifier: MIT */
/* Sends to a name. The payloads wait in Lua until the name was looked up (lua/dgram/lookup.lua), and count against the
 * limit meanwhile. Then they are sent as if the program had only sent them now. */
#ifndef DG_SOCKET_SEND_NAMES_H
#define DG_SOCKET_SEND_NAMES_H

#include "../lua/arguments.h"
#include "socket.h"

DG_HIDDEN_BEGIN

/* What waits for a look-up: the string or list at an index, which is `count` datagrams of `bytes` together. */
typedef struct dg_payloads {
    int index;
    size_t count;
    uint64_t bytes; /* those of a list may be more than a size_t holds */
} dg_payloads;

/* Pushes a copy of the list at index 2, because the program may change the list while a name is looked up. A finalizer
 * may change it even in this function. */
dg_payloads dg_send_names_copy(lua_State *L);
/* Binds the socket if it is unbound, then has the name looked up. The options are kept until then. `value` is the
 * callback's second argument if the datagrams are refused. Returns what dg_send_queue_put does. */
int dg_send_names(lua_State *L, dg_socket *s, const dg_arguments *arguments, const dg_send_options *options,
                  const dg_payloads *payloads, size_t value);

/* Adds core.sendResolved. */
void dg_send_names_open(lua_State *L);

DG_HIDDEN_END

#endif
