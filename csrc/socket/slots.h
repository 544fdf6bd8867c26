/* SPDX-License-Identifier: MIT */
/* What the table of a socket holds: Lua's values, which the struct cannot. */
#ifndef DG_SOCKET_SLOTS_H
#define DG_SOCKET_SLOTS_H

/* Slots of a socket's own table: first those that a socket has which only listens. */
enum dg_slot {
    DG_SLOT_TARGET = 1, /* what messages go to now: the receiver, or a function that does nothing */
    DG_SLOT_EVENTS,   /* the emitter's listeners, or nil: the receiver is then the one listener that there is, if any */
    DG_SLOT_POLL,     /* luv's poll handle */
    DG_SLOT_RECEIVER, /* the one callable that stands for the message listeners, or nil */
    DG_SLOTS_AT_FIRST = DG_SLOT_RECEIVER,
    DG_SLOT_TIMER,         /* luv's timer for retries, once there was one */
    DG_SLOT_DEADLINE,      /* and that for calls of receive with a time-out */
    DG_SLOT_SENDER,        /* the address string of the last sender */
    DG_SLOT_CALLBACKS,     /* the ring of send callbacks (callbacks.h) */
    DG_SLOT_RECEIVE_BLOCK, /* block lists, to keep them */
    DG_SLOT_SEND_BLOCK,
    DG_SLOT_LANES, /* key of a lane -> table with its ring of callbacks (lanes.h), once there was one */
    DG_SLOT_LONE,  /* the coroutine whose call of receive waits by itself, and what that closes when it is closed */
    DG_SLOT_GUARD,
    DG_SLOT_PRIVATE, /* what the Lua side keeps for it */
};

#endif
