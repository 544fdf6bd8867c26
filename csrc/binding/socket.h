/* SPDX-License-Identifier: MIT */
/* The socket userdata. Its methods reach the struct through dg_socket_check or dg_socket_running.
 *
 *     unbound --bind--> bound --close--> closing --all sent--> closed
 *
 * A socket that the program has forgotten lives on while it is anchored: while datagrams can still reach a listener or
 * its work is not done. */
#ifndef DG_BINDING_SOCKET_H
#define DG_BINDING_SOCKET_H

#include "../net/blocklist.h"
#include "../net/queue.h"
#include "../net/transmit.h"
#include "../net/unix_file.h"
#include "callbacks.h"
#include "hub.h"
#include "slots.h"

DG_HIDDEN_BEGIN

typedef enum dg_life { DG_OPEN, DG_CLOSING, DG_CLOSED } dg_life;

/* How a socket waits until the kernel takes more. (A Unix socket that is not connected is writable all the time, though
 * its peer's queue be full: lanes.h.) */
enum dg_blocked { DG_NOT_BLOCKED, DG_BLOCKED_POLL };

/* Whether a `drain` is to come: owed since a method that sends returned false, until nothing waits; noted then, and
 * owed again if something waits by the time it would be told. */
enum dg_drains { DG_DRAIN_NONE, DG_DRAIN_OWED, DG_DRAIN_NOTED };

/* What a tick does for a socket that is due. */
enum dg_due {
    DG_DUE_FLUSH = 1,  /* hand the queue to the kernel */
    DG_DUE_REPORT = 2, /* run the callbacks of datagrams that are done */
    DG_DUE_RESUME = 4, /* deliver what a pause or an error left of a batch */
    DG_DUE_CLOSE = 8,  /* see whether a closing socket can close */
    DG_DUE_BIND = 16,  /* bind to any port, unless somebody has bound it by then */
    DG_DUE_READY = 32, /* look at what luv told of it, in a turn that was used up */
};

/* What luv's callbacks tell. */
enum dg_happened { DG_READABLE = 1, DG_WRITABLE = 2, DG_ERROR = 4, DG_STOPPED = 8, DG_RETRY = 16 };

typedef struct dg_socket {
    const void *tag; /* says that it is one: the address of something of this module's own */
    dg_hub *hub;
    int fd; /* -1 once closed */
    int family;
    unsigned char life; /* dg_life */
    unsigned char bound;
    unsigned char will_bind; /* bind(2) comes next: luv is already to watch */
    unsigned char binding;   /* a bind waits for a name */
    unsigned char connected;
    unsigned char connecting;  /* a connect waits for a name */
    unsigned char clears_dead; /* a Unix socket's reuseAddr */
    unsigned char v6only;
    unsigned char may_segment; /* the option gso */
    unsigned char receiving;   /* there is a receiver */
    unsigned char takes_rinfo; /* it may see more than the message */
    unsigned char paused;
    unsigned char lost;            /* somebody has closed its descriptor: the loop must not be asked to watch it */
    unsigned char resting;         /* there was no memory to receive: a timer goes on */
    unsigned char blocked;         /* dg_blocked: the kernel took no more */
    unsigned char waits_for_peers; /* a timer has the lanes tried again, */
    unsigned char backoff;         /* after so many milliseconds */
    unsigned char tries_lanes;     /* the next flush tries them */
    unsigned char shares_file;     /* the open file may be others', too: it was adopted, or its number was handed out */
    unsigned char drains;          /* dg_drains */
    unsigned char unreferenced;
    unsigned char has_poll; /* there is a poll handle of luv's */
    unsigned char busy;     /* luv is being told of the descriptor: it must not be closed now */
    unsigned char telling;  /* errors of sends are being made, for callbacks that come before `close` */
    unsigned char watching; /* what it watches (poll.h) */
    unsigned char poll_unreferenced;
    unsigned char due;    /* set of dg_due: for the next round */
    unsigned char doing;  /* set of dg_due: what the running round has still to do */
    unsigned char listed; /* it is in the hub's list */
    unsigned char anchored;
    unsigned burial;         /* its number in the hub's count, 0 before */
    unsigned char happened;  /* set of dg_happened: what luv told, and nobody has looked at yet */
    unsigned char moderated; /* its poll is silent, the alarm has it looked at */
    unsigned char wakes;     /* wake-ups since window_at */
    struct dg_socket *next_due;
    uint32_t interval;  /* the option moderation: microseconds, 0 for never */
    uint32_t window_at; /* when wake-ups were last counted from 0 (dg_timer_clock) */

    unsigned pinned; /* the dispatch (by depth) that reads the batch: it must not be given away; 0 for none */
    dg_arena *batch; /* received and not yet delivered: slots [at .. count), the first from `offset` on */
    unsigned batch_count, batch_at;
    uint32_t batch_offset;
    unsigned char want;          /* slots for the next receive */
    unsigned char has_strangers; /* what others than the peer had sent before connect may still come */
    dg_inet sender;              /* of the last rinfo; its text is in DG_SLOT_SENDER, a Unix socket's is only there */
    uint32_t sender_serial;      /* changes with it */
    uint32_t handed, handed_in;  /* datagrams that were handed out in a turn of the loop; its serial number */
    uint64_t receive_calls, messages, bytes, refused, strangers, truncated;
    uint32_t dropped; /* by the kernel, when it was last asked */
    unsigned char knows_dropped;

    dg_queue queue;
    struct dg_lane *lanes; /* what waits for Unix peers (lanes.h) */
    dg_transmitter transmitter;
    size_t report_limit; /* callbacks that the running round may still run */
    dg_callbacks callbacks;
    unsigned held;       /* sends that wait for a name */
    unsigned connection; /* changes with each connect and disconnect */
    unsigned device;     /* the interface that it was bound to before it was connected to a peer with a zone */
    size_t held_bytes;
    size_t queue_limit;                             /* bytes that may wait */
    const dg_blocklist *receive_block, *send_block; /* NULL without */
    dg_unix_file file;
    dg_address *peer; /* the connected one, once there was one */
    long made_by;     /* the process that made the descriptor */
} dg_socket;

extern const char dg_socket_tag; /* its address is the tag */

/* The socket at index 1, in whatever state; raises ERR_INVALID_ARG_TYPE for anything else. */
static inline dg_socket *dg_socket_check(lua_State *L);
/* The same for methods that need it open: raises ERR_SOCKET_DGRAM_NOT_RUNNING after close(). */
static inline dg_socket *dg_socket_running(lua_State *L);
/* The rare halves of these: for what has no tag, and for one that is closed. */
DG_COLD dg_socket *dg_socket_check_metatable(lua_State *L);
DG_COLD void dg_socket_raise_closed(lua_State *L);

/* Pushes the userdata of a socket, or nil when it is being collected. */
void dg_socket_push(lua_State *L, const dg_socket *s);

/* Keeps it from being collected while it has work, or may receive; lets it go else. For changes that the poll need not
 * hear of (poll.h has the function for the others). */
void dg_socket_anchor(lua_State *L, int index, dg_socket *s);

/* Notes that a socket was closed, or forgets it. What makes a rinfo looks at it: a finalizer that runs meanwhile may
 * close the socket, and then no message may come any more. Allocates nothing. */
void dg_socket_note_closed(lua_State *L, dg_hub *hub, int closed);

/* Pushes the error of a system call, with what is to be done about it. */
DG_COLD void dg_socket_push_advised(lua_State *L, const dg_socket *s, int error, const char *syscall,
                                    const dg_address *to);
/* The same of one on a datagram's way, with the connected peer's address where `to` is NULL or empty. */
DG_COLD void dg_socket_push_error(lua_State *L, const dg_socket *s, int error, const char *syscall,
                                  const dg_address *to);
/* The same of a datagram of `length` bytes (0: not known) that does not go. */
DG_COLD void dg_socket_push_send_error(lua_State *L, const dg_socket *s, int error, const dg_address *to,
                                       size_t length);

/* Whether an IPv4 literal is meant for it as a mapped address. */
static inline int dg_socket_maps(const dg_socket *s)
{
    return s->family == AF_INET6 && !s->v6only;
}

/* The tag is the fast way: nobody else's userdata of this size begins with it, and it costs a third of comparing
 * metatables. */
static inline dg_socket *dg_socket_check(lua_State *L)
{
    dg_socket *s = lua_touserdata(L, 1);
    if (s != NULL && dg_rawlen(L, 1) == sizeof *s && s->tag == &dg_socket_tag)
        return s;
    return dg_socket_check_metatable(L);
}

static inline dg_socket *dg_socket_running(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    if (s->life != DG_OPEN)
        dg_socket_raise_closed(L);
    return s;
}

/* Whether datagrams would go to somebody. */
static inline int dg_socket_takes_messages(const dg_socket *s)
{
    return s->life == DG_OPEN && s->receiving && !s->paused && !s->resting;
}

/* What is still to be sent keeps the loop alive, unreferenced or not. */
static inline int dg_socket_unreferenced(const dg_socket *s)
{
    return s->unreferenced && !s->blocked && !s->waits_for_peers && s->held == 0;
}

/* Adds functions to the table of methods and to core, which are on top of the stack (core, methods). */
void dg_socket_add(lua_State *L, const luaL_Reg *methods, const luaL_Reg *core);
/* Adds metamethods, in the same way. */
void dg_socket_add_meta(lua_State *L, const luaL_Reg *metamethods);
/* Adds this room's own. */
void dg_socket_open(lua_State *L);

DG_HIDDEN_END

#endif
