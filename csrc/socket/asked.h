/* SPDX-License-Identifier: MIT */
/* The options of createSocket that add fields to each rinfo: pktInfo, recvTTL, recvTOS, timestamp, recvCredentials.
 * What the kernel tells for them, net/ancillary.h knows; an adopted descriptor is asked, too. The rinfo itself is made
 * by the hook `deliverAll` of lua/dgram/init.lua, which receive.h calls. */
#ifndef DG_SOCKET_ASKED_H
#define DG_SOCKET_ASKED_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Asks for what the socket is asked for on another descriptor, which the socket will have. Raises ENOTSUP where its
 * family does not tell that, and what setsockopt(2) says. */
void dg_asked_set(lua_State *L, dg_socket *s, int fd, int family);

/* The program has set an option of the kernel's by itself: a receive may need other room. */
void dg_asked_look_again(dg_socket *s);

/* Brings the texts of what came, localAddress and interface, to a stack index and the next one; nil: not known. This is
 * all of it that allocates. */
void dg_asked_keep_texts(lua_State *L, int index, const dg_ancillary *with);
/* Pushes the texts at that index, ttl, tos, timestamp, pid, uid, gid; nil for what did not come. Returns how many
 * values. */
int dg_asked_push(lua_State *L, int index, const dg_socket *s, const dg_ancillary *with);

/* Returns whether the rinfos of two slots may be one, as far as these fields go. */
static inline int dg_asked_same(const dg_socket *s, const dg_ancillary *a, const dg_ancillary *b)
{
    return s->rx.asked.set == 0 || dg_ancillary_same(a, b);
}

/* Adds core.ask; core and the table of methods are on top of the stack. */
void dg_asked_open(lua_State *L);

DG_HIDDEN_END

#endif
