/* SPDX-License-Identifier: MIT */
/* What waits for Unix peers that do not read. A peer whose queue is full must hold back only what is for it: so that
 * moves from the send queue to a lane of its own, in its order, and later datagrams for the peer go there, too, until
 * the lane is empty. What waited for the same peer when the socket was connected to it comes into a second lane, behind
 * the first. A lane is a queue and a ring of callbacks, as the socket's own. Nobody tells when such a peer has
 * room again (an unconnected Unix socket is always writable): a timer has the lanes tried again. */
#ifndef DG_BINDING_LANES_H
#define DG_BINDING_LANES_H

#include "socket.h"

DG_HIDDEN_BEGIN

typedef struct dg_lane {
    struct dg_lane *next;
    dg_address to;
    dg_queue queue;
    dg_callbacks callbacks;
} dg_lane;

/* The newest lane of a destination, or NULL. */
dg_lane *dg_lanes_find(const dg_socket *s, const dg_address *to);
/* Makes one for the destination of the first waiting datagram, and moves all that waits for it there. Allocates, and
 * raises without memory, before it changes anything. */
void dg_lanes_divert(lua_State *L, int index, dg_socket *s);
/* Hands over what the peers take now. Returns whether that was anything. */
int dg_lanes_try(dg_socket *s);
/* The first lane that has something to report, or NULL. */
dg_lane *dg_lanes_reporting(const dg_socket *s);
/* Frees the lanes in which nothing is left. */
void dg_lanes_sweep(lua_State *L, int index, dg_socket *s);
/* What waits in all of them: datagrams, and their bytes. */
size_t dg_lanes_count(const dg_socket *s);
size_t dg_lanes_bytes(const dg_socket *s);
/* Gives up all that waits (dg_queue_give_up). */
size_t dg_lanes_give_up(dg_socket *s, int error);
/* Frees them all, for finalizers. */
void dg_lanes_free(dg_socket *s);

DG_HIDDEN_END

#endif
