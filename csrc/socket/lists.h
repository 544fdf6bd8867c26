/* SPDX-License-Identifier: MIT */
/* Datagrams of the batch as two lists of equal length, the messages and their rinfos: for the event `batch`, and for
 * receiveMany. Datagrams of one sender that follow each other share an rinfo where nothing in it differs but the size,
 * which is that of the first. */
#ifndef DG_SOCKET_LISTS_H
#define DG_SOCKET_LISTS_H

#include "receive.h"

DG_HIDDEN_BEGIN

typedef struct dg_lists {
    int messages, rinfos, rinfo; /* stack indexes: the lists; the rinfo of the last datagram */
    int count;                   /* datagrams in the lists */
    int has_rinfo;               /* that rinfo may be shared; it says the following */
    int truncated;
    dg_address from;
    dg_ancillary with;
    uint64_t mark; /* dg_lists_mark before the first datagram that is not taken yet */
} dg_lists;

/* Two values differ if the batch was received or read from in between, or the socket connected. */
static inline uint64_t dg_lists_mark(const dg_socket *s)
{
    return s->rx.messages + s->rx.calls + s->peer.serial;
}

/* Appends the datagram at an offset of a slot, and does not take it. The caller holds the batch, and has set the mark.
 * Returns its size. Returns -1, and has appended nothing, if a finalizer has run meanwhile and changed the batch or
 * closed the socket. If this function raises, #messages is still lists->count, and #rinfos may be one more. */
int dg_lists_append(lua_State *L, dg_receive_frame *frame, dg_socket *s, dg_lists *lists, unsigned at, uint32_t offset);

/* Emits `batch` for what is left of the batch, as far as the budget of the turn goes, by whole slots. The cursor is
 * past them then; or before them, and they are announced, where messages are wanted, too. Raises what the listener
 * raises. */
void dg_lists_deliver(lua_State *L, dg_receive_frame *frame, dg_socket *s);

DG_HIDDEN_END

#endif
