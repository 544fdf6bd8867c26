/* SPDX-License-Identifier: MIT */
/* From the kernel to the receiver: receives a batch, and calls the receiver with a string and an rinfo for each
 * datagram. Who the receiver is, listen.h decides. */
#ifndef DG_SOCKET_RECEIVE_H
#define DG_SOCKET_RECEIVE_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* The upvalues of the dispatch body: the hook `deliver`, and the names of families. */
#define DG_UP_DELIVER lua_upvalueindex(1)
#define DG_UP_IPV4 lua_upvalueindex(2)
#define DG_UP_IPV6 lua_upvalueindex(3)
#define DG_UP_UNIX lua_upvalueindex(4)
enum { DG_RECEIVE_UPVALUES = 4 };
/* Pushes these values. The hooks are set by then. */
void dg_receive_push_upvalues(lua_State *L);

/* Delivers the rest of the batch, then (`readable`) what the kernel has, within the budgets of the turn. To be called
 * from the dispatch body. Raises what a listener raises; the cursor is past its datagram then. */
void dg_receive(lua_State *L, int index, dg_socket *s, int readable);
/* Returns whether datagrams of the batch could be delivered now. */
int dg_receive_pending(const dg_socket *s);
/* Drops the batch. */
void dg_receive_drop(dg_socket *s);

/* Asks the kernel how many datagrams it dropped, and keeps the number for stats() after close. */
void dg_receive_keep_dropped(dg_socket *s);

DG_HIDDEN_END

#endif
