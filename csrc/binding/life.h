/* SPDX-License-Identifier: MIT */
/* The end of a socket's life, and what keeps the loop alive until then: close, ref, unref, collection. */
#ifndef DG_BINDING_LIFE_H
#define DG_BINDING_LIFE_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Closes the descriptor if the socket is closing and has nothing left to send; emits `close` when all is reported. */
void dg_life_finish_close(lua_State *L, int index, dg_socket *s);

/* Adds ref, unref; core.close, core.discard; __gc, __close. The stack is as for dg_socket_open. */
void dg_life_open(lua_State *L);

DG_HIDDEN_END

#endif
