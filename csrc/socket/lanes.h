/* SPDX-License-Identifier: MIT */
/* Lanes: datagrams that wait for Unix peers whose queues are full. Such a peer holds back only what is for it: its
 * datagrams move from the send queue to a lane of their own, in their order, and later ones for the peer go there, too,
 * until the lane is empty. What waited for the connected peer at a disconnect may come into a second lane, behind the
 * first. A lane is a queue and a ring of callbacks, like the socket's own. An unconnected Unix socket is always
 * writable, so the kernel does not report when such a peer has room again: send_queue.c starts a timer that has the
 * lanes tried. */
#ifndef DG_SOCKET_LANES_H
#define DG_SOCKET_LANES_H

#include "socket.h"

DG_HIDDEN_BEGIN

typedef struct dg_lane {
    struct dg_lane *next;
    dg_route route; /* without options */
    dg_queue queue;
    dg_callbacks callbacks;
} dg_lane;

/* Returns the newest lane of a destination, or NULL. */
dg_lane *dg_lanes_find(const dg_socket *s, const dg_address *to);
/* Makes a lane for the destination of the first waiting datagram, and moves all that waits for it there. Does all its
 * allocating first; raises without memory, and has changed nothing then. */
void dg_lanes_divert(lua_State *L, int index, dg_socket *s);
/* Sends what the peers take now. Returns whether they took anything. */
int dg_lanes_try(dg_socket *s);
/* Returns the first lane that has something to report, or NULL. */
dg_lane *dg_lanes_reporting(const dg_socket *s);
/* Frees the lanes in which nothing is left. */
void dg_lanes_sweep(lua_State *L, int index, dg_socket *s);
/* Return how many datagrams wait in all lanes, and how many bytes. */
size_t dg_lanes_count(const dg_socket *s);
size_t dg_lanes_bytes(const dg_socket *s);
/* Gives up all that waits in lanes (dg_queue_give_up). */
size_t dg_lanes_give_up(dg_socket *s, int error, int silent);
/* Frees all lanes. For finalizers, and for sockets that have nothing left to report. */
void dg_lanes_free(dg_socket *s);

DG_HIDDEN_END

#endif
