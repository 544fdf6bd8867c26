/* SPDX-License-Identifier: MIT */
/* Connecting to a peer, and disconnecting. A datagram socket's connect(2) only notes the peer. Names are not looked up
 * here: lua/dgram/lookup.lua does that, and calls again with a literal. */
#ifndef DG_SOCKET_CONNECT_H
#define DG_SOCKET_CONNECT_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Allocates peer.address, which only connected sockets need. Returns 0 without memory. */
int dg_connect_make_peer(dg_socket *s);

/* A connect does not wait for a name any more. */
static inline void dg_connect_end_lookup(dg_socket *s)
{
    if (s->peer.state == DG_CONNECTING)
        s->peer.state = DG_NO_PEER;
}

/* For methods without arguments: returns the socket at index 1; raises unless it is connected. */
dg_socket *dg_connect_check(lua_State *L);

/* Adds remoteAddress, disconnect; core.connect, core.setConnecting. The stack is as for dg_socket_open. */
void dg_connect_open(lua_State *L);

DG_HIDDEN_END

#endif
