/* SPDX-License-Identifier: MIT */
/* The option recvErrors: ICMP errors of all datagrams that a socket has sent, as `error` events with the peer's
 * address. The kernel keeps them until they are read (net/error_queue.h). */
#ifndef DG_SOCKET_ICMP_H
#define DG_SOCKET_ICMP_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Has the kernel keep ICMP errors for the descriptor, of this family, if the socket has the option. Raises what the
 * system says; ENOTSUP where it has no such option. */
void dg_icmp_set(lua_State *L, const dg_socket *s, int fd, int family);
/* Notes an `error` event for each ICMP error that the kernel has kept; only so many that the state's deferred events do
 * not become many, and the kernel reports the rest again. Returns whether there were any: then a pending error
 * (SO_ERROR) or that of a system call was one of them. Without the option it returns 0. */
int dg_icmp_report(lua_State *L, int index, dg_socket *s);
/* Notes the `error` event of an error that was pending, or that a receive or a send has returned; with the option those
 * that dg_icmp_report does. Then an error that an ICMP message may have left, but that the kernel has not kept, is
 * none: the kernel keeps an error before it leaves it on the socket, so it may have been reported in between. */
void dg_icmp_report_or(lua_State *L, int index, dg_socket *s, int error);
/* Pushes the object of such an error. Returns 0 and pushes nothing if there is none. */
int dg_icmp_push_or(lua_State *L, const dg_socket *s, int error);

/* Adds core.hearErrors. */
void dg_icmp_open(lua_State *L);

DG_HIDDEN_END

#endif
