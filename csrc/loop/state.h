/* SPDX-License-Identifier: MIT */
/* What the sockets of one lua_State share: dg_state, which is found through the registry. It is the only mutable data
 * outside of the sockets, so Lua states on different threads share nothing. This file makes and frees the state; the
 * files that the members' comments name change it. */
#ifndef DG_LOOP_STATE_H
#define DG_LOOP_STATE_H

#include "../net/address_cache.h"
#include "../net/fifo.h"
#include "../net/os.h"
#include "../lua/registry.h"

DG_HIDDEN_BEGIN

struct dg_socket;

/* What the running dispatch may still do (dispatch.c, drain.c). Work that its callbacks add waits for the next
 * dispatch, so that the loop goes on whatever they do. */
typedef struct dg_dispatch {
    struct dg_socket *socket;    /* the socket whose queue it will flush in the end; NULL: none, or that is done */
    unsigned char begun;         /* the work that was pending at its begin has been done */
    unsigned char entered;       /* the protected body has begun */
    unsigned char drain_opened;  /* `sockets` and `events` have been set */
    unsigned char sockets_first; /* pending sockets come before deferred calls */
    unsigned sockets;            /* pending sockets that it may still serve */
    unsigned events;             /* deferred calls that it may still make */
} dg_dispatch;

/* One loop iteration, and how much of its time user code has used (turn.c). */
typedef struct dg_turn {
    uint32_t serial;         /* serial of the turn: how many begins of turns were seen */
    uint32_t spent;          /* microseconds of user code, up to `since` */
    uint32_t since;          /* when the clock was last read in a dispatch */
    unsigned char calls;     /* calls of user code until the clock is read again */
    unsigned char step;      /* calls of user code between the last two readings */
    unsigned char exhausted; /* the time budget is used up: the rest waits for the next turn */
    unsigned char ends;      /* a socket has used up its count budget: the begin of the next turn must be seen */
} dg_turn;

enum { DG_MOST_MODERATED = 8 }; /* sockets; more than that cannot all have much to do */

/* A socket that is received from at intervals (socket/moderation.c). */
typedef struct dg_moderated {
    struct dg_socket *socket;
    uint32_t buffer_share; /* bytes of its receive buffer that waiting datagrams may fill */
    uint32_t interval;     /* microseconds from one receive to the next */
    uint32_t elapsed;      /* microseconds since the last receive */
    uint32_t datagrams;    /* datagrams that had come by the last receive */
    uint32_t bytes;        /* their bytes */
} dg_moderated;

typedef struct dg_state {
    lua_State *main; /* the main thread, NULL where it is not known (Lua 5.1 in a coroutine) */
    struct dg_socket *first_pending, *last_pending; /* sockets with pending work, oldest first (work.c) */
    struct dg_socket *current; /* the socket whose work is being done; it stays when a callback raises (drain.c) */
    unsigned pending_count;    /* sockets from first_pending to last_pending */
    unsigned char to_flush;    /* one of them may have DG_WORK_FLUSH (work.c, drain.c) */
    unsigned watched;          /* sockets that have a poll handle (watch.c) */
    unsigned pending_closes;   /* handles in registry[DG_REGISTRY_CLOSE_QUEUE] (watch.c) */
    int *close_fds;            /* the descriptor to close with each of them, or -1 (watch.c) */
    unsigned handles;          /* handles that sockets have, and those that wait to be closed (watch.c, timers.c) */
    unsigned close_places;     /* handles that there is room for, in the table and the array (watch.c) */
    unsigned close_serials;    /* serial of the newest request to close a socket's handles (watch.c) */
    unsigned closed_serial;    /* requests up to this serial are done (watch.c) */
    unsigned depth;            /* dispatches on the C stack; inside of one the idle handle is not needed */
    unsigned running;          /* calls of dgram.run on the C stack */
    dg_dispatch dispatch;      /* the running dispatch */
    dg_turn turn;
    unsigned char sockets_first;        /* deferred calls have used up a turn: pending sockets come first in the next */
    unsigned uncaught;                  /* errors in registry[DG_REGISTRY_UNCAUGHT] (uncaught.c) */
    unsigned dropped_errors;            /* errors that there was no memory to keep */
    unsigned char large_events;         /* registry[DG_REGISTRY_EVENTS] has grown: it is freed when it is empty */
    unsigned char idle_running;         /* the idle handle is started (idle.c) */
    unsigned char due;                  /* the loop has to make a turn before anybody waits for it (due.c) */
    unsigned char due_told;             /* the host's function was called for that */
    unsigned telling;                   /* calls of that function on the C stack */
    const void *sentinel;               /* registry[DG_REGISTRY_SENTINEL] (luv.c) */
    unsigned char luv_gone;             /* the Lua state is being closed: nothing of luv may be called any more */
    unsigned char has_sockets;          /* a socket was made: the loop stays the one that it is (luv.c) */
    unsigned char luv_sought;           /* luv has been searched for; registry[DG_REGISTRY_UV] is nil if in vain */
    unsigned char luv_met;              /* on_loop has been called (luv.c) */
    unsigned char stepping;             /* dgram.step runs the loop, with a timer (guest.c) */
    lua_Integer first_event, end_event; /* deferred calls: registry[DG_REGISTRY_EVENTS][first .. end) (work.c) */
    dg_arena *arena;                    /* a receive arena that no socket uses now */
    dg_fifo spare;                      /* a payload block that no send queue uses now */
    dg_moderated moderated[DG_MOST_MODERATED]; /* sockets that are received from when the timer fires (moderation.c) */
    unsigned moderated_count, next_moderated;
    unsigned char moderating;    /* a socket is being added there: the timer must not be closed */
    uint32_t interval;           /* microseconds until the timer fires: the shortest interval of these sockets */
    int timer_fd;                /* descriptor of the timer; -1: there is none (interval_timer.c) */
    unsigned char timer_watched; /* the timer's poll handle is started */
    lua_CFunction on_poll, on_alive, on_retry, on_deadline, on_idle,
        on_timer;                /* luv's callbacks, which dispatch.c sets */
    lua_CFunction on_loop;       /* is called once, when luv was found; dispatch.c sets it, too */
    dg_address_cache *addresses; /* NULL before the first parsed destination */
} dg_state;

/* Makes the dg_state of a Lua state, and the registry. */
dg_state *dg_state_open(lua_State *L);
/* Returns the dg_state of a Lua state. */
dg_state *dg_state_of(lua_State *L);

/* Pushes a callback for luv that calls one of the state's functions. Pops its first upvalue: the socket, the socket's
 * light userdata, or nil. dg_dispatch_configure comes before. */
void dg_state_push_callback(lua_State *L, lua_CFunction function);
/* The upvalues of such a callback. It needs no table look-up for what it uses at each wake-up. The message handler is
 * one of them in Lua 5.1 alone: from Lua 5.2 on a function without upvalues is no object, and is just pushed. */
#define DG_UP_SOCKET lua_upvalueindex(1)
#define DG_UP_BODY lua_upvalueindex(2)
#define DG_UP_MESSAGE_HANDLER lua_upvalueindex(3)

/* Takes an arena to receive into, or returns NULL without memory; gives it back. */
dg_arena *dg_state_take_arena(dg_state *state);
void dg_state_give_arena(dg_state *state, dg_arena *arena);

DG_HIDDEN_END

#endif
