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
#define DG_UP_TAKEN lua_upvalueindex(5)       /* slots whose target returns what it is given */
#define DG_UP_DELIVER_ALL lua_upvalueindex(6) /* the hook for sockets that have asked for something (asked.h) */
enum { DG_RECEIVE_UPVALUES = 6 };
/* Pushes these values. The hooks are set by then. */
void dg_receive_push_upvalues(lua_State *L);

/* What this file keeps on the stack while it reads a batch, from `base` on. */
typedef struct dg_receive_frame {
    int base;
    uint32_t sender; /* serial of the sender whose text is there; a nested dispatch may have changed rx.sender */
} dg_receive_frame;
/* Pushes that, in a function with these upvalues. */
dg_receive_frame dg_receive_push_frame(lua_State *L, int index, const dg_socket *s);
/* Pushes the datagram under the cursor and its rinfo, and moves the cursor past it. The rinfo is the one at index
 * `shared` if that is not 0. A finalizer that runs meanwhile may take the datagram, or close the socket: then this
 * function pushes nothing and returns 0. */
int dg_receive_take(lua_State *L, dg_receive_frame *frame, dg_socket *s, int shared);

/* Delivers the rest of the batch, then (`readable`) what the kernel has, within the budgets of the turn. To be called
 * from the dispatch body. Raises what a listener raises; the cursor is past its datagram then. */
void dg_receive(lua_State *L, int index, dg_socket *s, int readable);
/* Stops receiving for a reason (dg_stopped), and takes the reason back. dg_watch_update follows. */
static inline void dg_receive_stop(dg_socket *s, enum dg_stopped why)
{
    s->rx.stopped |= (unsigned char)why;
}
static inline void dg_receive_restart(dg_socket *s, enum dg_stopped why)
{
    s->rx.stopped &= (unsigned char)~(unsigned)why;
}
/* Sets the option receiveBlockList. The list has to live as long as the socket. */
static inline void dg_receive_set_block_list(dg_socket *s, const dg_blocklist *list)
{
    s->rx.block_list = list;
}
/* Notes whether datagrams of others than the peer may wait in the kernel: they are dropped. */
static inline void dg_receive_expect_strangers(dg_socket *s, int expected)
{
    s->rx.has_strangers = (unsigned char)expected;
}
/* Returns whether datagrams of the batch could be delivered now. */
int dg_receive_pending(const dg_socket *s);
/* Drops the batch. If a dispatch reads from it, the memory stays until that is done. */
void dg_receive_drop(dg_socket *s);
/* Drops the batch and its memory, in the finalizer: no dispatch can read from it any more. */
void dg_receive_end(dg_socket *s);

/* Asks the kernel how many datagrams it dropped, and keeps the number for stats() after close. */
void dg_receive_keep_dropped(dg_socket *s);

DG_HIDDEN_END

#endif
