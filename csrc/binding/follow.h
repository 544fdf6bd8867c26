/* SPDX-License-Identifier: MIT */
/* Guesses whose turn is next. Where sockets of one program answer each other, what a listener sent lies in the other
 * one's receive buffer by the time that it returns: to look there at once saves the way through the loop, which is a
 * system call of three. A socket is followed by the one that was followed several times before; a guess that fails
 * makes the next ones rarer. */
#ifndef DG_BINDING_FOLLOW_H
#define DG_BINDING_FOLLOW_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* The loop has told of the socket, which has received ahead, and is about to be dispatched: learns whom it follows. */
DG_HOT void dg_follow_learn(dg_hub *hub, dg_socket *s);
/* After the socket's dispatch: pushes the one that follows and has received something, and returns it; or NULL, and
 * pushes nothing. */
DG_HOT dg_socket *dg_follow_guess(lua_State *L, dg_hub *hub, const dg_socket *s);
/* The last dispatch was this socket's, or (NULL) not one's for which luv's poll had called. */
static inline void dg_follow_note(dg_hub *hub, dg_socket *s)
{
    hub->before = s;
}
/* The socket is being collected. */
void dg_follow_forget(dg_hub *hub, const dg_socket *s);

DG_HIDDEN_END

#endif
