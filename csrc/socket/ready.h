/* SPDX-License-Identifier: MIT */
/* What luv tells of a socket: that it is readable or writable, has an error, that its poll stopped, that its timer ran
 * out. The way in for all of it; datagrams go on to receive.h. */
#ifndef DG_SOCKET_READY_H
#define DG_SOCKET_READY_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Looks at what luv told of the socket (s->watch.ready_events), and delivers what there is; or notes it for the next
 * turn of the loop, if user code has used up this one. May raise what a listener raises; call it again then. */
void dg_ready_serve(lua_State *L, int index, dg_socket *s);
/* Leaves that, for want of memory or for another reason: what nobody will tell of again is noted for the next round.
 * Allocates nothing. */
void dg_ready_note_left(dg_socket *s);

DG_HIDDEN_END

#endif
