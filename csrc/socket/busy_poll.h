/* SPDX-License-Identifier: MIT */
/* The option busyPoll: after a dispatch that delivered something the kernel is asked again and again before the loop
 * may sleep. Waking up is most of what a lone answer costs. The rule: the wait lasts as long as the option says, within
 * the turn's time budget; it ends when anything of the loop's is due, and there is none while work is deferred. */
#ifndef DG_SOCKET_BUSY_POLL_H
#define DG_SOCKET_BUSY_POLL_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Waits, at the end of a dispatch of a socket with the option, whose queue is flushed by then. Returns whether to
 * receive once more: then DG_READABLE is noted. May raise what luv raises. */
int dg_busy_poll_wait(lua_State *L, dg_socket *s);

/* Adds core.setBusyPoll(socket, false | microseconds). */
void dg_busy_poll_open(lua_State *L);

DG_HIDDEN_END

#endif
