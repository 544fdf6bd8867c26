/* SPDX-License-Identifier: MIT */
/* The send methods: argument forms, the queue, flushing it, and reporting to callbacks. */
#ifndef DG_BINDING_SEND_H
#define DG_BINDING_SEND_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Hands the queue to the kernel; waits for writability where it must. */
void dg_send_flush(lua_State *L, int index, dg_socket *s);
/* Runs the callbacks of datagrams that are done, at most s->report_limit. May raise what a callback raises, having gone past it. */
void dg_send_report(lua_State *L, int index, dg_socket *s);

void dg_send_open(lua_State *L);

DG_HIDDEN_END

#endif
