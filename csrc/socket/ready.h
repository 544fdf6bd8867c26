/* SPDX-License-Identifier: MIT */
/* Handles what luv reported of a socket: that it is readable or writable, that it has an error, that its poll stopped,
 * that its retry timer fired. Datagrams are received by receive.h. */
#ifndef DG_SOCKET_READY_H
#define DG_SOCKET_READY_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Adds events (a set of dg_ready_event) that luv has reported. */
static inline void dg_ready_add(dg_socket *s, unsigned events)
{
    s->watch.ready_events |= (unsigned char)events;
}
/* Handles s->watch.ready_events, and delivers datagrams; or notes the work for the next turn of the loop, if user code
 * has used up this one. If that was noted already, the poll does not watch the socket until it is served (awaits_turn,
 * which watch.c obeys). May raise what a listener raises; to be called again then. */
void dg_ready_serve(lua_State *L, int index, dg_socket *s);
/* The events cannot be handled now, because there is no memory or the turn is another's. What luv will not report again
 * is noted as deferred work. Allocates nothing. */
void dg_ready_note_left(dg_socket *s);

DG_HIDDEN_END

#endif
