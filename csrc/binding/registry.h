/* SPDX-License-Identifier: MIT */
/* Lua values that all of dgram's C code in one lua_State shares: an array in Lua's registry, and what its places hold. */
#ifndef DG_BINDING_REGISTRY_H
#define DG_BINDING_REGISTRY_H

#include "../net/attributes.h"
#include "compat.h"

DG_HIDDEN_BEGIN

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
    DG_STORE_NOBODY, /* a function that does nothing: the target of messages that must not be told */
    DG_STORE_CORE,   /* the module's table: one a state, however often it is loaded */
    DG_STORE_SOURCE, /* prefix of the chunk names of dgram's own Lua files */
};

/* Makes the array and pushes it. */
void dg_registry_open(lua_State *L);
/* Pushes the array, or nil before it was made. */
void dg_hub_store(lua_State *L);
/* Pushes one of its values. */
void dg_hub_get(lua_State *L, int slot);
/* Pops a value into it. */
void dg_hub_set(lua_State *L, int slot);

DG_HIDDEN_END

#endif
