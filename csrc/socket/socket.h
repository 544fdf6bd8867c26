/* SPDX-License-Identifier: MIT */
/* The socket: the userdata, its parts, and how methods reach it (dg_socket_check, dg_socket_running). What is done with
 * a part is the affair of the files that the part's comment names.
 *
 *     unbound --bind--> bound --close--> closing --all sent--> closed
 *
 * A socket that the program has forgotten is kept alive by a strong reference (kept_alive) while datagrams can still
 * reach a listener, or while it has work to do. */
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

/* Whether a socket waits until its descriptor is writable. (An unconnected Unix socket is always writable, though its
 * peer's queue is full. Its datagrams wait in lanes.h.) */
enum dg_blocked { DG_NOT_BLOCKED, DG_BLOCKED_POLL };

/* Whether a `drain` event will come. It is pending from the time that a method returns false until nothing waits; then
 * the deferred event is noted. If something waits when the event would be emitted, it is pending again. */
enum dg_drains { DG_DRAIN_NONE, DG_DRAIN_PENDING, DG_DRAIN_NOTED };

/* What deferred work does for a socket. */
enum dg_work_kind {
    DG_WORK_FLUSH = 1,  /* hand the queue to the kernel */
    DG_WORK_REPORT = 2, /* call the callbacks of datagrams that are done */
    DG_WORK_RESUME = 4, /* deliver the rest of a batch */
    DG_WORK_CLOSE = 8,  /* close a closing socket, if nothing waits */
    DG_WORK_BIND = 16,  /* bind to any port, unless the program has bound it by then */
    DG_WORK_READY = 32, /* handle ready_events, which came in a turn that was used up */
    DG_WORK_CALLS = 64, /* end calls of receive whose time is over, or all after a close */
};

/* Events without an argument that wait for a loop, and come in this order. */
enum dg_owed_event { DG_OWED_LISTENING = 1, DG_OWED_CONNECT = 2, DG_OWED_CLOSE = 4 };

/* Bind and connect take time only while a name is looked up. */
enum dg_bind_state { DG_UNBOUND, DG_BINDING, DG_BOUND };
enum dg_peer_state { DG_NO_PEER, DG_CONNECTING, DG_CONNECTED };

/* Why a socket receives nothing: the program has paused it; other code has closed its descriptor, which the loop must
 * not watch then; there was no memory to receive into, and a timer will start it again; its receiver stands for calls
 * of receive, none waits now, and there is no listener to `batch`. */
enum dg_stopped { DG_PAUSED = 1, DG_BAD_FD = 2, DG_NO_MEMORY = 4, DG_NO_CALL = 8 };

/* Who receives: a receiver of messages; a listener to `batch`. */
enum dg_takers { DG_TAKES_MESSAGES = 1, DG_TAKES_LISTS = 2 };

/* What luv's callbacks report: events of the poll, that the poll has stopped by itself, that the retry timer has
 * fired. */
enum dg_ready_event { DG_READABLE = 1, DG_WRITABLE = 2, DG_ERROR = 4, DG_STOPPED = 8, DG_RETRY = 16 };

/* The connected peer. (connect.c; adopt.c and pair.c, which set it, too) */
typedef struct dg_peer {
    dg_address *address; /* its address; NULL until the first connect, and old after a disconnect */
    unsigned serial;     /* changes with each connect and disconnect */
    unsigned char state; /* dg_peer_state */
} dg_peer;

/* Where the socket is bound, and who else may have its descriptor. (bind.c; adopt.c, connect.c and pair.c, which bind
 * it, too; file: close.c and detach.c end it; shares_file: socket.c, too) */
typedef struct dg_binding {
    dg_unix_file file;
    unsigned device;           /* the interface that it was bound to before it was connected to a peer with a zone */
    int made_by;               /* the process that made the descriptor */
    unsigned char state;       /* dg_bind_state */
    unsigned char will_bind;   /* bind(2) comes next: luv has to watch the descriptor already */
    unsigned char clears_dead; /* the option reuseAddr of a Unix socket: a dead socket file may be removed */
    unsigned char shares_file; /* others may have the open file, too: it was adopted, or fileno() was called */
} dg_binding;

/* From the kernel to the receiver. (receive.c, batch.c, lists.c, listen.c; calls of receive: lone.c, timers.c;
 * busy_poll.c; interval and window_at: moderation.c) */
typedef struct dg_rx {
    dg_arena *batch;       /* received and not yet delivered: slots [batch_at .. batch_count) */
    uint32_t batch_offset; /* bytes of the first of these slots that are delivered */
    unsigned reader_depth; /* depth of the dispatch that reads the batch, which must stay then; 0: none does */
    unsigned char batch_count, batch_at;
    unsigned char announced;     /* the first slots, up to this one, have been in a `batch` event */
    unsigned char receiving;     /* set of dg_takers: who receives */
    unsigned char takes_rinfo;   /* the receiver may have a second parameter */
    unsigned char stopped;       /* set of dg_stopped: why nothing is received */
    unsigned char no_call;       /* the receiver stands for calls only, and none waits */
    unsigned char want;          /* slots that the next receive offers */
    unsigned char has_strangers; /* datagrams that others sent before connect may still wait in the kernel */
    unsigned char knows_dropped; /* `dropped` is known */
    unsigned char has_calls;     /* calls of receive have waited: close ends those that wait then */
    unsigned char may_be_lone;   /* a call may wait alone (lone.c): there is no listener, and nothing was put back */
    unsigned char lone;          /* a call waits alone: the coroutine in DG_SLOT_LONE */
    unsigned char queued;        /* other calls wait in the Lua side's queue */
    unsigned char hears_errors;  /* the option recvErrors (icmp.c) */
    unsigned char has_deadline;  /* a timer is started for one of the calls (timers.c) */
    unsigned char time_in_ns;    /* timestamps are integers (asked.c) */
    unsigned char wakes;         /* wake-ups in the window (moderation.c) */
    unsigned char moderated;     /* its poll is stopped, and the timer's callback receives (moderation.c) */
    dg_asked asked;              /* what the kernel tells with each datagram (asked.c) */
    uint32_t dropped;            /* datagrams that the kernel had dropped when it was last asked */
    uint32_t handed, handed_in;  /* datagrams that were handed out in a turn of the loop; the turn's serial */
    uint32_t sender_serial;      /* changes when `sender` does */
    dg_inet sender; /* sender of the last rinfo; its text is in DG_SLOT_SENDER. Unused for a Unix socket. */
    const dg_blocklist *block_list;                                 /* the option receiveBlockList, or NULL */
    uint64_t calls, messages, bytes, blocked, strangers, truncated; /* what stats() counts */
    uint64_t descriptors;                                           /* datagrams whose descriptors were refused */
    uint32_t busy_poll;                                             /* the option busyPoll: microseconds; 0: none */
    uint32_t received_before; /* datagrams that had come before the last such wait, modulo 2^32 */
    uint32_t interval;        /* the option moderation: microseconds; 0: never */
    uint32_t window_at;       /* when the window of wake-ups began (dg_timer_clock) */
} dg_rx;

/* From send to the kernel. (send_queue.c; awaiting_*: send_names.c; lanes: lanes.c; errors_in_making: report.c; the
 * transmitter's offloads: create.c, adopt.c, and socket.c and raw_options.c, which share the descriptor; hears_late:
 * create.c, adopt.c, icmp.c) */
typedef struct dg_tx {
    dg_queue queue;
    dg_transmitter transmitter;
    dg_callbacks callbacks;
    struct dg_lane *lanes;          /* datagrams that wait for Unix peers (lanes.h), or NULL */
    const dg_blocklist *block_list; /* the option sendBlockList, or NULL */
    size_t limit;                   /* the option sendQueueLimit: bytes that may wait */
    size_t awaiting_bytes;          /* bytes of the datagrams that wait for a look-up */
    unsigned awaiting_lookup;       /* datagrams that wait for a look-up */
    unsigned char blocked;          /* dg_blocked: the kernel took no more */
    unsigned char drains;           /* dg_drains */
    unsigned char waits_for_peers;  /* the retry timer runs: the lanes are tried when it fires */
    unsigned char backoff;          /* its milliseconds */
    unsigned char tries_lanes;      /* the next flush tries the lanes */
    unsigned char errors_in_making; /* callbacks whose error object is being made: `close` comes after them */
} dg_tx;

/* luv's poll handle for the descriptor, and what it reported. (watch.c; ready_events, awaits_turn: ready.c, and watch.c
 * obeys the latter; busy: timers.c, too) */
typedef struct dg_watch {
    unsigned close_serial;             /* serial of the request to close the handle; 0: there was none */
    unsigned char has_handle;          /* DG_SLOT_POLL has a handle */
    unsigned char watching;            /* set of dg_watch_for: what the handle watches; 0: it is stopped */
    unsigned char busy;                /* luv is being called for the descriptor, which must not be closed now */
    unsigned char unreferenced;        /* socket:unref() was called */
    unsigned char handle_unreferenced; /* the handle does not keep the loop alive */
    unsigned char ready_events;        /* set of dg_ready_event: what luv reported and has not been handled */
    unsigned char awaits_turn;         /* it has DG_WORK_READY, was reported again, and is not polled until served */
} dg_watch;

/* Deferred work. (work.c, drain.c; owed, owed_events: owed.c, too; report_limit: report.c, too) */
typedef struct dg_job {
    struct dg_socket *next;    /* in the state's list of pending sockets */
    uint32_t report_limit;     /* callbacks that may still be called in this dispatch */
    uint32_t calls;            /* deferred calls of its sends' callbacks: `close` comes after them */
    unsigned char pending;     /* set of dg_work_kind: work for the next drain */
    unsigned char running;     /* set of dg_work_kind: work of this drain that is not done yet */
    unsigned char queued;      /* the socket is in the list of pending sockets */
    unsigned char owed;        /* set of dg_work_kind: work to note when a loop is found */
    unsigned char owed_events; /* set of dg_owed_event: events to note then */
} dg_job;

/* The comment of each part names the files that change it; their headers do so inline. All other files call their
 * functions, or only read. create.c sets all parts up; adopt.c fits them to a descriptor that others opened. */
typedef struct dg_socket {
    const void *tag; /* &dg_socket_tag: no other userdata begins with it */
    dg_state *state;
    int fd; /* -1: closed (watch.c closes it; create.c, adopt.c, detach.c) */
    int family;
    unsigned char life;        /* dg_life (close.c) */
    unsigned char v6only;      /* the option ipv6Only */
    unsigned char may_segment; /* the option gso */
    unsigned char kept_alive;  /* registry[DG_REGISTRY_KEPT_ALIVE] has it (socket.c) */
    dg_watch watch;
    dg_job job;
    dg_rx rx;
    dg_tx tx;
    dg_peer peer;
    dg_binding local;
} dg_socket;

extern const char dg_socket_tag; /* only its address is used */

/* Returns the socket at index 1, in any state; raises ERR_INVALID_ARG_TYPE for anything else. */
static inline dg_socket *dg_socket_check(lua_State *L);
/* Does the same for methods that need an open socket: raises ERR_SOCKET_DGRAM_NOT_RUNNING after close(). */
static inline dg_socket *dg_socket_running(lua_State *L);
/* The rare halves of these: for a value that has no tag, and for a closed socket. */
dg_socket *dg_socket_check_metatable(lua_State *L);
void dg_socket_raise_closed(lua_State *L);

/* Pushes the userdata of a socket, or nil while it is being collected. */
void dg_socket_push(lua_State *L, const dg_socket *s);

/* Calls body(socket, its light userdata, ...) in protected mode, with the `arguments` values on top of the stack, which
 * it pops; `index` is the socket's without them. Returns lua_pcall's status, and leaves the error or the results. In
 * Lua 5.1 it may raise before the call, for want of memory or out of a finalizer: so `body` does what is undone later.
 */
int dg_socket_call(lua_State *L, int index, dg_socket *s, lua_CFunction body, int arguments, int results);

/* Keeps the socket at `index` from being collected while it has work or may receive, and else ends that. Changes that
 * also matter to the poll call dg_watch_update, which calls this. */
void dg_socket_keep_alive(lua_State *L, int index, dg_socket *s);

/* From now on nobody gets messages, not even the one whose rinfo is just being made: a finalizer that runs meanwhile
 * may have closed the socket. `slots` is the index of the socket's table. Allocates nothing. */
void dg_socket_target_nobody(lua_State *L, int slots);

/* Pushes the error of a system call; its message says what to do, where that is known (advice.h). */
void dg_socket_push_advised(lua_State *L, const dg_socket *s, int error, const char *syscall, const dg_address *to);
/* Does the same for an error of a datagram; the connected peer's address is used where `to` is NULL or empty. */
void dg_socket_push_error(lua_State *L, const dg_socket *s, int error, const char *syscall, const dg_address *to);
/* Reasons of dgram itself to refuse a datagram; they are used in the place of negative errno values. */
enum dg_refusal { DG_REFUSED_BY_LIST = -100000, DG_OVER_LIMIT };
/* Does the same for a datagram of `length` bytes (0: not known) that was not sent; not for DG_REFUSED_BY_LIST. */
void dg_socket_push_send_error(lua_State *L, const dg_socket *s, int error, const dg_address *to, size_t length);

/* Returns whether the socket takes an IPv4 literal as a mapped IPv6 address. */
static inline int dg_socket_maps(const dg_socket *s)
{
    return s->family == AF_INET6 && !s->v6only;
}

/* No other userdata of this size begins with the tag, and reading it costs a third of comparing metatables. */
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

/* Returns whether a datagram would be delivered now. */
static inline int dg_socket_takes_messages(const dg_socket *s)
{
    return s->life == DG_OPEN && s->rx.receiving && s->rx.stopped == 0;
}

/* Returns whether the poll handle may not keep the loop alive. Datagrams that wait to be sent keep it alive even after
 * unref(). */
static inline int dg_socket_unreferenced(const dg_socket *s)
{
    return s->watch.unreferenced && !s->tx.blocked && !s->tx.waits_for_peers && s->tx.awaiting_lookup == 0;
}

/* Adds functions to core and to the table of methods, which are on top of the stack in this order. NULL: none. */
void dg_socket_add(lua_State *L, const luaL_Reg *methods, const luaL_Reg *core);
/* Adds a method whose only upvalue is the light userdata `data`. The table of methods is on top of the stack. */
void dg_socket_add_closure(lua_State *L, const char *name, lua_CFunction function, const void *data);
/* Adds metamethods to the sockets' metatable. */
void dg_socket_add_meta(lua_State *L, const luaL_Reg *metamethods);
/* Adds this file's methods, metamethods and core functions. */
void dg_socket_open(lua_State *L);

DG_HIDDEN_END

#endif
