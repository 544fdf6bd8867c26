/* SPDX-License-Identifier: MIT */
/* Reports what became of each datagram: to its callback, to its list's callback, or, of a failure without a callback,
 * by the `error` event. The queue keeps the results until then. */
#ifndef DG_SOCKET_REPORT_H
#define DG_SOCKET_REPORT_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Pushes the error object of a datagram that failed or was refused; `error` is a negative errno or
 * one of dg_refusal. */
void dg_report_push_error(lua_State *L, const dg_socket *s, int error, const dg_address *to, size_t length);
/* Notes the `error` event of a lone datagram that failed within its own call, so that the error has the place of that
 * call. Does nothing where older datagrams are still to be reported. */
void dg_report_lone_failure(lua_State *L, int index, dg_socket *s);
/* Returns how many datagrams have something to report. */
size_t dg_report_pending(const dg_socket *s);
/* Calls the callbacks of datagrams that are done, at most s->job.report_limit, as long as the turn has time. May raise
 * what a callback raises; that callback has been taken then. */
void dg_report_run(lua_State *L, int index, dg_socket *s);

DG_HIDDEN_END

#endif
