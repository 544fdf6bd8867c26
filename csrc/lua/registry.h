/* SPDX-License-Identifier: MIT */
/* Lua values that all of dgram's C code in one lua_State shares: an array in Lua's registry, and what its places hold.
 */
#ifndef DG_LUA_REGISTRY_H
#define DG_LUA_REGISTRY_H

#include "../net/attributes.h"
#include "compat.h"

DG_HIDDEN_BEGIN

enum dg_registry_place {
    DG_REGISTRY_STATE = 1,  /* the dg_state itself, a userdata */
    DG_REGISTRY_METATABLE,  /* the sockets' */
    DG_REGISTRY_ERROR,      /* the error objects' metatable */
    DG_REGISTRY_BLOCKLIST,  /* the block lists' metatable */
    DG_REGISTRY_SOCKETS,    /* light userdata -> socket, weak */
    DG_REGISTRY_KEPT_ALIVE, /* light userdata -> socket: those that live though the program may have forgotten them */
    DG_REGISTRY_EVENTS,     /* deferred calls (tick.c), while there are some */
    DG_REGISTRY_BODY,       /* the dispatch body, a function */
    DG_REGISTRY_ON_IDLE,    /* luv's callback for the idle handle */
    DG_REGISTRY_MESSAGE_HANDLER, /* for protected calls: notes the traceback */
    DG_REGISTRY_TRACEBACK,       /* of the last error that a protected call caught */
    DG_REGISTRY_UNCAUGHT,        /* errors that nobody has been told of yet: {error, traceback, ...} */
    DG_REGISTRY_HANDLER,         /* setUncaughtHandler's */
    DG_REGISTRY_HOOKS,           /* functions of the Lua side, by name: deliver, emit, sendToName */
    DG_REGISTRY_UV,              /* luv's module table, once it was found */
    DG_REGISTRY_CLOSE_QUEUE,     /* poll handles to be closed, each with its descriptor's number */
    DG_REGISTRY_IDLE,            /* luv's idle handle, while there is one */
    DG_REGISTRY_MODERATE,        /* moderation.c's function for protected calls */
    DG_REGISTRY_TIMER,           /* the poll handle of the timer, while there is one */
    DG_REGISTRY_SENTINEL,        /* says by its finalizer that luv's loop may be gone */
    DG_REGISTRY_SENTINEL_META,
    DG_REGISTRY_NOBODY, /* a function that does nothing: the target of messages that must not be told */
    DG_REGISTRY_CORE,   /* the module's table: one a state, however often it is loaded */
    DG_REGISTRY_SOURCE, /* prefix of the chunk names of dgram's own Lua files */
};

/* Makes the array and pushes it. */
void dg_registry_open(lua_State *L);
/* Pushes the array, or nil before it was made. */
void dg_registry_push(lua_State *L);
/* Pushes one of its values. */
void dg_registry_get(lua_State *L, int slot);
/* Pops a value into it. */
void dg_registry_set(lua_State *L, int slot);

DG_HIDDEN_END

#endif
