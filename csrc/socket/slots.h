/* SPDX-License-Identifier: MIT */
/* The Lua values of a socket, which a struct cannot hold: an array that belongs to the userdata. */
#ifndef DG_SOCKET_SLOTS_H
#define DG_SOCKET_SLOTS_H

/* The slots of that array. The first ones are those of a socket that only listens: the array is made for them. */
enum dg_slot {
    DG_SLOT_TARGET = 1, /* the function that messages go to now: the receiver, or one that does nothing */
    DG_SLOT_POLL,       /* luv's poll handle */
    DG_SLOT_RECEIVER,   /* the one callable that stands for the message listeners, or nil */
    DG_SLOTS_AT_FIRST = DG_SLOT_RECEIVER,
    DG_SLOT_EVENTS,        /* the emitter's listeners; nil: the receiver is the one listener that there is, if any */
    DG_SLOT_TIMER,         /* luv's timer for retries, or nil */
    DG_SLOT_DEADLINE,      /* luv's timer for calls of receive with a time-out, or nil */
    DG_SLOT_SENDER,        /* the address string of the last sender */
    DG_SLOT_CALLBACKS,     /* the ring of send callbacks (callbacks.h) */
    DG_SLOT_RECEIVE_BLOCK, /* the block lists, which must not be collected before the socket */
    DG_SLOT_SEND_BLOCK,
    DG_SLOT_LANES,   /* address of a lane's callbacks -> table with their ring (lanes.h); or nil */
    DG_SLOT_LONE,    /* the coroutine whose call of receive waits alone (lone.c), or nil */
    DG_SLOT_GUARD,   /* what that call closes when its coroutine is closed */
    DG_SLOT_LISTS,   /* the one callable that stands for the batch listeners; nil or false: there is none */
    DG_SLOT_PRIVATE, /* a table of the Lua side's, or nil */
};

#endif
