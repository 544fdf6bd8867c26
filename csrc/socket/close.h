/* SPDX-License-Identifier: MIT */
/* close, collection, ref and unref. What is queued still goes before a socket closes; send_queue.h sends it. */
#ifndef DG_SOCKET_CLOSE_H
#define DG_SOCKET_CLOSE_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* The socket is closing from now on: nothing is received, bound or connected any more. Allocates nothing. */
void dg_close_begin(lua_State *L, int index, dg_socket *s);
/* Closes the descriptor if the socket is closing and nothing waits to be sent; emits `close` when all is reported. */
void dg_close_finish(lua_State *L, int index, dg_socket *s);
/* Returns the work to note for a socket that closes: calls of receive that wait end, too. */
unsigned dg_close_work(const dg_socket *s);

/* Adds ref, unref; core.close, core.discard; __gc, __close. The stack is as for dg_socket_open. */
void dg_close_open(lua_State *L);

DG_HIDDEN_END

#endif
