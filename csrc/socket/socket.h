/* SPDX-License-Identifier: MIT */
/* The socket userdata. Its methods reach the struct through dg_socket_check or dg_socket_running.
 *
 *     unbound --bind--> bound --close--> closing --all sent--> closed
 *
 * A socket that the program has forgotten lives on while it is kept_alive: while datagrams can still reach a listener
 * or its work is not done. */
#ifndef DG_SOCKET_SOCKET_H
#define DG_SOCKET_SOCKET_H

#include "../net/blocklist.h"
#include "../net/queue.h"
#include "../net/transmit.h"
#include "../net/unix_file.h"
#include "../loop/state.h"
#include "callbacks.h"
#include "slots.h"

DG_HIDDEN_BEGIN

typedef enum dg_life { DG_OPEN, DG_CLOSING, DG_CLOSED } dg_life;

/* How a socket waits until the kernel takes more. (A Unix socket that is not connected is writable all the time, though
 * its peer's queue be full: lanes.h.) */
enum dg_blocked { DG_NOT_BLOCKED, DG_BLOCKED_POLL };

/* Whether a `drain` is to come: owed since a method that sends returned false, until nothing waits; noted then, and
 * owed again if something waits by the time it would be told. */
enum dg_drains { DG_DRAIN_NONE, DG_DRAIN_PENDING, DG_DRAIN_NOTED };

/* What a tick does for a socket that is due. */
enum dg_work_kind {
    DG_WORK_FLUSH = 1,  /* hand the queue to the kernel */
    DG_WORK_REPORT = 2, /* run the callbacks of datagrams that are done */
    DG_WORK_RESUME = 4, /* deliver what a pause or an error left of a batch */
    DG_WORK_CLOSE = 8,  /* see whether a closing socket can close */
    DG_WORK_BIND = 16,  /* bind to any port, unless somebody has bound it by then */
    DG_WORK_READY = 32, /* look at what luv told of it, in a turn that was used up */
};

/* A bind, and a connect, may wait for a name. */
enum dg_bind_state { DG_UNBOUND, DG_BINDING, DG_BOUND };
enum dg_peer_state { DG_NO_PEER, DG_CONNECTING, DG_CONNECTED };

/* Why a socket takes nothing from the kernel: the program has paused it; somebody has closed its descriptor, which the
 * loop must not be asked to watch then; there was no memory to receive into, and a timer goes on. */
enum dg_stopped { DG_PAUSED = 1, DG_BAD_FD = 2, DG_NO_MEMORY = 4 };

/* What luv's callbacks tell. */
enum dg_ready_event { DG_READABLE = 1, DG_WRITABLE = 2, DG_ERROR = 4, DG_STOPPED = 8, DG_RETRY = 16 };

/* What is on the other side of a connect; a datagram socket's peer is only noted, nobody is asked. (connect.c) */
typedef struct dg_peer {
    dg_address *address; /* the connected one, once there was one */
    unsigned serial;     /* changes with each connect and disconnect */
    unsigned char state; /* dg_peer_state */
} dg_peer;

/* Where the socket is bound, and whose its descriptor is. (bind.c) */
typedef struct dg_binding {
    dg_unix_file file;
    unsigned device;           /* the interface that it was bound to before it was connected to a peer with a zone */
    int made_by;               /* the process that made the descriptor */
    unsigned char state;       /* dg_bind_state */
    unsigned char will_bind;   /* bind(2) comes next: luv is already to watch */
    unsigned char clears_dead; /* a Unix socket's reuseAddr */
    unsigned char shares_file; /* the open file may be others', too: it was adopted, or its number was handed out */
} dg_binding;

/* From the kernel to the receiver. (receive.c; the last four: moderation.c) */
typedef struct dg_rx {
    dg_arena *batch; /* received and not yet delivered: slots [at .. count), the first from `offset` on */
    unsigned batch_count, batch_at;
    uint32_t batch_offset;
    unsigned reader_depth;     /* the dispatch (by depth) that reads the batch: it must not be given away; 0 for none */
    unsigned char receiving;   /* there is a receiver */
    unsigned char takes_rinfo; /* it may see more than the message */
    unsigned char stopped;     /* set of dg_stopped: why nothing is received */
    unsigned char want;        /* slots for the next receive */
    unsigned char has_strangers; /* what others than the peer had sent before connect may still come */
    unsigned char knows_dropped;
    uint32_t dropped;           /* by the kernel, when it was last asked */
    uint32_t handed, handed_in; /* datagrams that were handed out in a turn of the loop; its serial number */
    uint32_t sender_serial;     /* changes with the sender */
    dg_inet sender;             /* of the last rinfo; its text is in DG_SLOT_SENDER, a Unix socket's is only there */
    const dg_blocklist *block_list; /* NULL without */
    uint64_t calls, messages, bytes, blocked, strangers, truncated;
    uint32_t interval;       /* the option moderation: microseconds, 0 for never */
    uint32_t window_at;      /* when wake-ups were last counted from 0 (dg_timer_clock) */
    unsigned char wakes;     /* wake-ups since then */
    unsigned char moderated; /* its poll is silent, the timer has it looked at */
} dg_rx;

/* From send to the kernel. (send_queue.c; lanes.c) */
typedef struct dg_tx {
    dg_queue queue;
    dg_transmitter transmitter;
    dg_callbacks callbacks;
    struct dg_lane *lanes;          /* what waits for Unix peers (lanes.h) */
    const dg_blocklist *block_list; /* NULL without */
    size_t limit;                   /* bytes that may wait */
    size_t awaiting_bytes;          /* of sends that wait for a name */
    unsigned awaiting_lookup;       /* how many these are */
    unsigned char blocked;          /* dg_blocked: the kernel took no more */
    unsigned char drains;           /* dg_drains */
    unsigned char waits_for_peers;  /* a timer has the lanes tried again, */
    unsigned char backoff;          /* after so many milliseconds */
    unsigned char tries_lanes;      /* the next flush tries them */
    unsigned char telling;          /* callbacks whose error object is being made: `close` comes behind them */
} dg_tx;

/* luv's poll handle for the descriptor, and what it told. (watch.c) */
typedef struct dg_watch {
    unsigned close_serial; /* of the request to close the handle; 0 if there was none */
    unsigned char has_handle;
    unsigned char watching;            /* what it watches (watch.c) */
    unsigned char busy;                /* luv is being told of the descriptor: it must not be closed now */
    unsigned char unreferenced;        /* socket:unref() */
    unsigned char handle_unreferenced; /* what luv knows of that */
    unsigned char ready_events;        /* set of dg_ready_event: what luv told, and nobody has looked at yet */
} dg_watch;

/* Deferred work. (work.c, drain.c) */
typedef struct dg_job {
    struct dg_socket *next;
    uint32_t report_limit; /* callbacks that may still run now */
    unsigned char pending; /* set of dg_work_kind: for the next time */
    unsigned char running; /* set of dg_work_kind: what is being done, and not done yet */
    unsigned char queued;  /* it is in the state's list */
} dg_job;

/* Each part has one file that changes it, named above; others use its functions, or only read. */
typedef struct dg_socket {
    const void *tag; /* says that it is one: the address of something of this module's own */
    dg_state *state;
    int fd; /* -1 once closed */
    int family;
    unsigned char life; /* dg_life */
    unsigned char v6only;
    unsigned char may_segment; /* the option gso */
    unsigned char kept_alive;  /* Lua's registry has it: it lives though the program may have forgotten it */
    dg_job job;
    dg_watch watch;
    dg_rx rx;
    dg_tx tx;
    dg_peer peer;
    dg_binding local;
} dg_socket;

extern const char dg_socket_tag; /* its address is the tag */

/* The socket at index 1, in whatever state; raises ERR_INVALID_ARG_TYPE for anything else. */
static inline dg_socket *dg_socket_check(lua_State *L);
/* The same for methods that need it open: raises ERR_SOCKET_DGRAM_NOT_RUNNING after close(). */
static inline dg_socket *dg_socket_running(lua_State *L);
/* The rare halves of these: for what has no tag, and for one that is closed. */
dg_socket *dg_socket_check_metatable(lua_State *L);
void dg_socket_raise_closed(lua_State *L);

/* Pushes the userdata of a socket, or nil when it is being collected. */
void dg_socket_push(lua_State *L, const dg_socket *s);

/* Keeps it from being collected while it has work, or may receive; lets it go else. For changes that the poll need not
 * hear of (poll.h has the function for the others). */
void dg_socket_keep_alive(lua_State *L, int index, dg_socket *s);

/* Messages go to nobody from now on, even one whose rinfo is just being made: a finalizer that runs meanwhile may close
 * the socket. `slots` is the index of its table. Allocates nothing. */
void dg_socket_target_nobody(lua_State *L, int slots);

/* Pushes the error of a system call, with what is to be done about it. */
void dg_socket_push_advised(lua_State *L, const dg_socket *s, int error, const char *syscall, const dg_address *to);
/* The same of one on a datagram's way, with the connected peer's address where `to` is NULL or empty. */
void dg_socket_push_error(lua_State *L, const dg_socket *s, int error, const char *syscall, const dg_address *to);
/* The same of a datagram of `length` bytes (0: not known) that does not go. */
void dg_socket_push_send_error(lua_State *L, const dg_socket *s, int error, const dg_address *to, size_t length);

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
    return s->life == DG_OPEN && s->rx.receiving && s->rx.stopped == 0;
}

/* What is still to be sent keeps the loop alive, unreferenced or not. */
static inline int dg_socket_unreferenced(const dg_socket *s)
{
    return s->watch.unreferenced && !s->tx.blocked && !s->tx.waits_for_peers && s->tx.awaiting_lookup == 0;
}

/* Adds functions to the table of methods and to core, which are on top of the stack (core, methods). */
void dg_socket_add(lua_State *L, const luaL_Reg *methods, const luaL_Reg *core);
/* Adds a method whose one upvalue is a light userdata: `data`. The methods are on top of the stack. */
void dg_socket_add_closure(lua_State *L, const char *name, lua_CFunction function, const void *data);
/* Adds metamethods, in the same way. */
void dg_socket_add_meta(lua_State *L, const luaL_Reg *metamethods);
/* Adds this room's own. */
void dg_socket_open(lua_State *L);

DG_HIDDEN_END

#endif
