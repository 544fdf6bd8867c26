/* SPDX-License-Identifier: MIT */
/* From the batch to the receiver, which is called with a string and an rinfo for each datagram, or to a call of
 * receive. All rinfos are made here. Who the receiver is, listen.h decides, and what is received when, deliver.h. */
#ifndef DG_SOCKET_RECEIVE_H
#define DG_SOCKET_RECEIVE_H

#include <limits.h>

#include "batch.h"
#include "socket.h"

DG_HIDDEN_BEGIN

/* The upvalues of the dispatch body: the hooks `deliver` and `deliverAll` for each family. The latter are for sockets
 * that have asked for something (asked.h). */
enum dg_receive_upvalue {
    DG_UP_DELIVER = 1,
    DG_UP_DELIVER_ALL = 4,
    DG_UP_TAKEN = 7, /* slots whose target returns what it is given */
    DG_RECEIVE_UPVALUES = 7
};
/* Pushes these values. The hooks are set by then. */
void dg_receive_push_upvalues(lua_State *L);

/* What this file keeps on the stack while it reads a batch, from `base` on: the socket's table first. */
typedef struct dg_receive_frame {
    int base;
    uint32_t sender; /* serial of the sender whose text is there; a nested dispatch may have changed rx.sender */
} dg_receive_frame;
/* Pushes that, in a function with these upvalues. */
dg_receive_frame dg_receive_push_frame(lua_State *L, int index, const dg_socket *s);
/* Pushes the datagram under the cursor and its rinfo, and moves the cursor past it. A finalizer that runs meanwhile may
 * take the datagram, or close the socket: then this function pushes nothing and returns 0. */
int dg_receive_take(lua_State *L, dg_receive_frame *frame, dg_socket *s);
/* Pushes the rinfo of a datagram of `size` bytes in the slot. The caller holds the batch. */
void dg_receive_push_rinfo(lua_State *L, dg_receive_frame *frame, dg_socket *s, const dg_received *slot, uint32_t size);
/* Keeps the batch's memory while a call reads it, though finalizers may drop the batch; `release` takes what `hold` has
 * returned. */
unsigned dg_receive_hold(dg_socket *s);
static inline void dg_receive_release(dg_socket *s, unsigned outer)
{
    s->rx.reader_depth = outer;
}

/* Returns whether datagrams of the batch could be delivered now. */
static inline int dg_receive_pending(const dg_socket *s)
{
    return dg_batch_left(s) && dg_socket_takes_messages(s);
}
/* Brings the cursor to the next datagram; returns whether there is one that could be delivered now. */
static inline int dg_receive_next(dg_socket *s)
{
    if (s->rx.block_list != NULL || s->rx.has_strangers)
        dg_batch_skip_refused(s);
    return dg_receive_pending(s);
}
/* Delivers the datagram under the cursor to the receiver, and moves the cursor past it before the call. A finalizer
 * that runs meanwhile may run the loop, which delivers this datagram, close the socket, or set a receiver that takes an
 * rinfo, which is not made yet. Then this function delivers nothing, and the caller looks again. */
void dg_receive_one(lua_State *L, dg_receive_frame *frame, dg_socket *s);
/* Does so for what is left of the batch, within the budgets of the turn, until somebody listens to `batch`. */
void dg_receive_rest(lua_State *L, dg_receive_frame *frame, dg_socket *s);
/* The reader's depth of a call of receive that no dispatch is around. Where such a call raises, for want of memory, the
 * socket keeps its batch's memory until it is closed. */
#define DG_OUTSIDE UINT_MAX
/* Is called before a dispatch reads the batch: a reader of this dispatch, or of a nested one, that has raised keeps its
 * memory no more. */
static inline void dg_receive_begin(dg_socket *s)
{
    if (s->rx.reader_depth >= s->state->depth && s->rx.reader_depth != DG_OUTSIDE)
        s->rx.reader_depth = 0;
}
/* Stops receiving for a reason (dg_stopped), and takes the reason back. dg_watch_update follows. */
static inline void dg_receive_stop(dg_socket *s, enum dg_stopped why)
{
    s->rx.stopped |= (unsigned char)why;
}
static inline void dg_receive_restart(dg_socket *s, enum dg_stopped why)
{
    s->rx.stopped &= (unsigned char)~(unsigned)why;
}
/* Notes whether a call waits, where the receiver stands for calls only; and who receives. dg_watch_update follows. */
void dg_receive_set_waiting(dg_socket *s, int waiting);
void dg_receive_set_takers(dg_socket *s, unsigned takers);
/* Returns whether messages go to the receiver. */
static inline int dg_receive_wants_messages(const dg_socket *s)
{
    return (s->rx.receiving & DG_TAKES_MESSAGES) && !s->rx.no_call;
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
/* Drops the batch. If a dispatch reads from it, the memory stays until that is done. */
void dg_receive_drop(dg_socket *s);
/* Drops the batch and its memory, in the finalizer: no dispatch can read from it any more. */
void dg_receive_end(dg_socket *s);

/* Asks the kernel how many datagrams it dropped, and keeps the number for stats() after close. */
void dg_receive_keep_dropped(dg_socket *s);

DG_HIDDEN_END

#endif
