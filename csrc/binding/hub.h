/* SPDX-License-Identifier: MIT */
/* What the sockets of one lua_State share. There is one hub a state, found through the registry, and no other mutable
 * data outside of the sockets: states on other threads never meet. */
#ifndef DG_BINDING_HUB_H
#define DG_BINDING_HUB_H

#include "../net/fifo.h"
#include "../net/memo.h"
#include "../net/os.h"
#include "compat.h"

DG_HIDDEN_BEGIN

struct dg_socket;

/* What the running dispatch may still do. Work that its callbacks make waits for the next one, so that the loop gets
 * its turn whatever they do. */
typedef struct dg_dispatch {
    unsigned char entered; /* the body has begun */
    unsigned char opened;  /* the round's share was measured */
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

typedef struct dg_hub {
    lua_State *main;                  /* the main thread, NULL where it is not known (Lua 5.1 in a coroutine) */
    struct dg_socket *due, *last_due; /* sockets that the next tick has work for, in the order in which it arose */
    struct dg_socket *serving;        /* the one that a round was serving when a callback raised */
    unsigned due_count;
    unsigned watched;                 /* sockets that hold a poll handle of luv's */
    unsigned graves;                  /* pairs in store[DG_STORE_GRAVES]: poll handle, descriptor */
    unsigned burials, closed_burials; /* sockets whose handles were put there, and how many of these are closed */
    unsigned depth;                   /* dispatches on the C stack; inside one the tick needs no handle */
    unsigned running;                 /* calls of dgram.run on the C stack */
    dg_dispatch dispatch;             /* the running one */
    dg_turn turn;
    unsigned char sockets_first;               /* deferred calls have used up a turn: due sockets come first */
    unsigned uncaught;                         /* errors in store[DG_STORE_UNCAUGHT] */
    unsigned lost;                             /* errors that there was no memory to keep */
    unsigned char large_events;                /* store[DG_STORE_EVENTS] has grown, and is let go when it is empty */
    unsigned char ticking;                     /* the idle handle is started */
    const void *sentinel;                      /* store[DG_STORE_SENTINEL] (luv.c) */
    unsigned char closed;                      /* a socket was closed since the last datagram was delivered */
    unsigned char luv_gone;                    /* the state is being closed: call nothing of luv any more */
    unsigned char luv_sought;                  /* in vain, unless store[DG_STORE_UV] has it */
    lua_Integer first_event, end_event;        /* deferred calls: store[DG_STORE_EVENTS][first .. end) */
    dg_arena *arena;                           /* a receive arena that nobody uses now */
    dg_fifo spare;                             /* a send buffer that nobody uses now */
    dg_moderated moderated[DG_MOST_MODERATED]; /* sockets that are received from when the alarm rings (moderation.c) */
    unsigned moderated_count, next_moderated;
    unsigned char moderating;    /* one is being put there: the alarm must stay as it is */
    uint32_t interval;           /* microseconds until then: the shortest that one of them wants */
    int alarm;                   /* the alarm's descriptor, -1 while there is none */
    unsigned char alarm_watched; /* its poll handle is started */
    lua_CFunction on_poll, on_alive, on_retry, on_tick, on_alarm; /* what luv's handles call: dispatch.c's */
    dg_memo *memo;                                                /* destinations, once something was sent */
} dg_hub;

/* The hub's Lua side: an array in the registry. */
enum dg_store {
    DG_STORE_HUB = 1,         /* the dg_hub itself, a userdata */
    DG_STORE_METATABLE,       /* the sockets' */
    DG_STORE_ERROR,           /* the error objects' metatable */
    DG_STORE_BLOCKLIST,       /* the block lists' metatable */
    DG_STORE_SOCKETS,         /* light userdata -> socket, weak */
    DG_STORE_ANCHORS,         /* light userdata -> socket: those that live though the program may have forgotten them */
    DG_STORE_EVENTS,          /* deferred calls (tick.c), while there are some */
    DG_STORE_BODY,            /* the dispatch body, a function */
    DG_STORE_TICK,            /* luv's callback for the idle handle */
    DG_STORE_MESSAGE_HANDLER, /* for protected calls: notes the traceback */
    DG_STORE_TRACEBACK,       /* of the last error that a protected call caught */
    DG_STORE_UNCAUGHT,        /* errors that nobody has been told of yet: {error, traceback, ...} */
    DG_STORE_HANDLER,         /* setUncaughtHandler's */
    DG_STORE_HOOKS,           /* functions of the Lua side, by name: deliver, emit, sendToName */
    DG_STORE_UV,              /* luv's module table, once it was found */
    DG_STORE_GRAVES,          /* poll handles to be closed, each with its descriptor's number */
    DG_STORE_IDLE,            /* luv's idle handle, while there is one */
    DG_STORE_MODERATE,        /* moderation.c's function for protected calls */
    DG_STORE_ALARM,           /* the poll handle of the alarm, while there is one */
    DG_STORE_SENTINEL,        /* says by its finalizer that luv's loop may be gone */
    DG_STORE_SENTINEL_META,
    DG_STORE_CLOSED, /* {whether a socket was closed lately}: hub->closed says it, too */
    DG_STORE_CORE,   /* the module's table: one a state, however often it is loaded */
    DG_STORE_SOURCE, /* prefix of the chunk names of dgram's own Lua files */
};

/* Makes the hub of a state; pushes its store. */
dg_hub *dg_hub_open(lua_State *L);
/* Pushes the store. */
void dg_hub_store(lua_State *L);
/* Pushes one of its values. */
void dg_hub_get(lua_State *L, int slot);
/* Pops a value into it. */
void dg_hub_set(lua_State *L, int slot);
dg_hub *dg_hub_of(lua_State *L);

/* Makes a callback for luv of one of the hub's functions, once dg_dispatch_configure was called. Pops what it is for:
 * the socket, its light userdata, or nil. */
void dg_hub_push_callback(lua_State *L, lua_CFunction function);
/* Its upvalues. What runs for each wake-up of the loop finds them at once. */
#define DG_UP_SOCKET lua_upvalueindex(1)
#define DG_UP_MESSAGE_HANDLER lua_upvalueindex(2)
#define DG_UP_BODY lua_upvalueindex(3)

/* An arena to receive into, or NULL without memory; and back. */
DG_HOT dg_arena *dg_hub_take_arena(dg_hub *hub);
DG_HOT void dg_hub_give_arena(dg_hub *hub, dg_arena *arena);

DG_HIDDEN_END

#endif
