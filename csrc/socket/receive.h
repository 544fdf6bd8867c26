/* SPDX-License-Identifier: MIT */
/* From the kernel to the listener: readable -> one batch -> a string and an rinfo for each datagram -> the receiver. */
#ifndef DG_SOCKET_RECEIVE_H
#define DG_SOCKET_RECEIVE_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* What the dispatch body keeps at hand as its upvalues: the Lua side's deliver, and the names of families. */
#define DG_UP_DELIVER lua_upvalueindex(1)
#define DG_UP_IPV4 lua_upvalueindex(2)
#define DG_UP_IPV6 lua_upvalueindex(3)
#define DG_UP_UNIX lua_upvalueindex(4)
#define DG_UP_TAKEN lua_upvalueindex(5) /* slots whose target returns what it is given */
enum { DG_RECEIVE_UPVALUES = 5 };
/* Pushes them; the hooks are set. */
void dg_receive_push_upvalues(lua_State *L);

/* What a batch keeps on the stack, from `base` on. */
typedef struct dg_kept {
    int base;
    uint32_t sender; /* serial number of the sender whose address is kept: a nested dispatch may have another */
} dg_kept;
/* Pushes that, in a function with those upvalues. */
dg_kept dg_receive_begin(lua_State *L, int index, const dg_socket *s);
/* Pushes the datagram under the cursor and its rinfo, which is the one at index `shared` if that is not 0, and goes
 * past it. Finalizers run meanwhile, perhaps, and may have taken it, or closed the socket: nothing is pushed then, and
 * 0 returned. */
int dg_receive_take(lua_State *L, dg_kept *k, dg_socket *s, int shared);

/* Delivers the rest of the batch at hand, then what the kernel has (`readable`), as far as the socket's share of the
 * loop's turn goes. To be called from the dispatch body. Raises what a listener raises, with the cursor past its
 * datagram. */
void dg_receive(lua_State *L, int index, dg_socket *s, int readable);
/* Whether datagrams of a batch wait for somebody who takes them now. */
int dg_receive_pending(const dg_socket *s);
/* Drops the batch. */
void dg_receive_drop(dg_socket *s);

/* Asks the kernel how many datagrams it dropped, while there is a descriptor: stats() tells it after close, too. */
void dg_receive_keep_dropped(dg_socket *s);

DG_HIDDEN_END

#endif
