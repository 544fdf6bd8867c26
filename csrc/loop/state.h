/* SPDX-License-Identifier: MIT */
/* What the sockets of one lua_State share. There is one state a state, found through the registry, and no other mutable
 * data outside of the sockets: states on other threads never meet. */
#ifndef DG_LOOP_STATE_H
#define DG_LOOP_STATE_H

#include "../net/address_cache.h"
#include "../net/fifo.h"
#include "../net/os.h"
#include "../lua/registry.h"

DG_HIDDEN_BEGIN

struct dg_socket;

/* What the running dispatch may still do. Work that its callbacks make waits for the next one, so that the loop gets
 * its turn whatever they do. */
typedef struct dg_dispatch {
    const struct dg_socket *socket; /* whose it is, NULL for the tick: what it sends goes when its listener is done */
    unsigned char begun;            /* what was deferred before it has been done */
    unsigned char entered;          /* the body has begun */
    unsigned char opened;           /* the round's share was measured */
    unsigned char sockets_first;
    unsigned sockets; /* due sockets to serve */
    unsigned events;  /* deferred calls */
} dg_dispatch;

/* The loop's turn, and what user code has used of it (turn.h). */
typedef struct dg_turn {
    uint32_t serial;         /* counts the turns whose begin was seen */
    uint32_t spent;          /* microseconds, up to `since` */
    uint32_t since;          /* when the clock was last read in a dispatch */
    unsigned char calls;     /* calls of user code until it is read again */
    unsigned char step;      /* how many calls there were between the last two readings */
    unsigned char exhausted; /* user code has had its time: the rest waits for the next turn */
    unsigned char ends;      /* a socket has handed out its share: the end of this turn must be seen */
} dg_turn;

enum { DG_MOST_MODERATED = 8 }; /* sockets; more than that cannot all have much to do */

typedef struct dg_moderated {
    struct dg_socket *socket;
    uint32_t room;     /* bytes that datagrams may take of its receive buffer */
    uint32_t interval; /* microseconds from one look to the next */
    uint32_t elapsed;  /* and since the last one */
    uint32_t seen;     /* datagrams, and bytes, that had come by then */
    uint32_t bytes;
} dg_moderated;

typedef struct dg_state {
    lua_State *main; /* the main thread, NULL where it is not known (Lua 5.1 in a coroutine) */
    struct dg_socket *first_pending,
        *last_pending;         /* sockets that the next tick has work for, in the order in which it arose */
    struct dg_socket *current; /* the one that a round was current when a callback raised */
    unsigned pending_count;
    unsigned watched;                      /* sockets that hold a poll handle of luv's */
    unsigned pending_closes;               /* pairs in store[DG_REGISTRY_CLOSE_QUEUE]: poll handle, descriptor */
    unsigned close_serials, closed_serial; /* sockets whose handles were put there, and how many of these are closed */
    unsigned depth;                        /* dispatches on the C stack; inside one the tick needs no handle */
    unsigned running;                      /* calls of dgram.run on the C stack */
    dg_dispatch dispatch;                  /* the running one */
    dg_turn turn;
    unsigned char sockets_first;        /* deferred calls have used up a turn: due sockets come before them now */
    unsigned uncaught;                  /* errors in store[DG_REGISTRY_UNCAUGHT] */
    unsigned dropped_errors;            /* errors that there was no memory to keep */
    unsigned char large_events;         /* store[DG_REGISTRY_EVENTS] has grown, and is let go when it is empty */
    unsigned char idle_running;         /* the idle handle is started */
    const void *sentinel;               /* store[DG_REGISTRY_SENTINEL] (luv.c) */
    unsigned char luv_gone;             /* the state is being closed: call nothing of luv any more */
    unsigned char luv_sought;           /* in vain, unless store[DG_REGISTRY_UV] has it */
    lua_Integer first_event, end_event; /* deferred calls: store[DG_REGISTRY_EVENTS][first .. end) */
    dg_arena *arena;                    /* a receive arena that nobody uses now */
    dg_fifo spare;                      /* a send buffer that nobody uses now */
    dg_moderated moderated[DG_MOST_MODERATED]; /* sockets that are received from when the timer rings (moderation.c) */
    unsigned moderated_count, next_moderated;
    unsigned char moderating;    /* one is being put there: the timer must stay as it is */
    uint32_t interval;           /* microseconds until then: the shortest that one of them wants */
    int timer_fd;                /* the timer's descriptor, -1 while there is none */
    unsigned char timer_watched; /* its poll handle is started */
    lua_CFunction on_poll, on_alive, on_retry, on_deadline, on_idle,
        on_timer;                /* what luv's handles call: dispatch.c's */
    dg_address_cache *addresses; /* destinations, once something was sent */
} dg_state;

/* Makes the state of a state, and its store. */
dg_state *dg_state_open(lua_State *L);
dg_state *dg_state_of(lua_State *L);

/* Makes a callback for luv of one of the state's functions, once dg_dispatch_configure was called. Pops what it is for:
 * the socket, its light userdata, or nil. */
void dg_state_push_callback(lua_State *L, lua_CFunction function);
/* Its upvalues. What runs for each wake-up of the loop finds them at once. */
#define DG_UP_SOCKET lua_upvalueindex(1)
#define DG_UP_MESSAGE_HANDLER lua_upvalueindex(2)
#define DG_UP_BODY lua_upvalueindex(3)

/* An arena to receive into, or NULL without memory; and back. */
dg_arena *dg_state_take_arena(dg_state *state);
void dg_state_give_arena(dg_state *state, dg_arena *arena);

DG_HIDDEN_END

#endif
