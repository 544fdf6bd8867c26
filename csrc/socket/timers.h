/* SPDX-License-Identifier: MIT */
/* A socket's two timers of luv, for retries and for calls of receive with a time-out. Both end with its poll
 * (watch.h). */
#ifndef DG_SOCKET_TIMERS_H
#define DG_SOCKET_TIMERS_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Has on_retry called after so many milliseconds. */
void dg_timers_retry(lua_State *L, int index, dg_socket *s, unsigned milliseconds);
/* Has calls of receive looked at after so many milliseconds from now, and no more; the socket is open. */
void dg_timers_deadline(lua_State *L, int index, dg_socket *s, lua_Number milliseconds);
void dg_timers_no_deadline(lua_State *L, int index, dg_socket *s);

DG_HIDDEN_END

#endif
