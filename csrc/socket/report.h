/* SPDX-License-Identifier: MIT */
/* Who is told what became of a datagram: its callback, its list's, or, of a failure, the `error` event. */
#ifndef DG_SOCKET_REPORT_H
#define DG_SOCKET_REPORT_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Pushes the error object of a datagram that failed, or was refused, with this code: an errno, or the next one. */
enum { DG_REFUSED_BY_LIST = -100000 };
void dg_report_push_error(lua_State *L, const dg_socket *s, int error, const dg_address *to, size_t length);
/* Tells the failure of a lone datagram at once, in the call that has handed it over: the error has the place of that
 * call. To be called where nothing that was sent before it is still to be reported. */
void dg_report_lone_failure(lua_State *L, int index, dg_socket *s);
/* How many datagrams have something to report. */
size_t dg_report_pending(const dg_socket *s);
/* Runs the callbacks of datagrams that are done, at most s->job.report_limit, as long as the turn lasts. May raise what
 * a callback raises, having gone past it. */
void dg_report_run(lua_State *L, int index, dg_socket *s);

DG_HIDDEN_END

#endif
