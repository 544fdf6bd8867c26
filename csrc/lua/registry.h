/* SPDX-License-Identifier: MIT */
/* Lua values that dgram's C code shares in one lua_State: an array in Lua's registry. This file reads and writes its
 * places; whoever uses a place knows what it means. */
#ifndef DG_LUA_REGISTRY_H
#define DG_LUA_REGISTRY_H

#include "../net/attributes.h"
#include "compat.h"

DG_HIDDEN_BEGIN

enum dg_registry_place {
    DG_REGISTRY_STATE = 1,  /* the dg_state itself, a userdata */
    DG_REGISTRY_METATABLE,  /* the sockets' metatable */
    DG_REGISTRY_ERROR,      /* the error objects' metatable */
    DG_REGISTRY_BLOCKLIST,  /* the block lists' metatable */
    DG_REGISTRY_SOCKETS,    /* light userdata -> socket, weak */
    DG_REGISTRY_KEPT_ALIVE, /* light userdata -> socket: those that live though the program may have forgotten them */
    DG_REGISTRY_EVENTS,     /* deferred calls (work.c), while there are some */
    DG_REGISTRY_BODY,       /* the dispatch body, a function */
    DG_REGISTRY_ON_IDLE,    /* luv's callback for the idle handle */
    DG_REGISTRY_MESSAGE_HANDLER, /* for protected calls: notes the traceback */
    DG_REGISTRY_TRACEBACK,       /* of the last error that a protected call caught */
    DG_REGISTRY_UNCAUGHT,        /* errors that wait to be raised: {error, traceback, ...} */
    DG_REGISTRY_HANDLER,         /* the function given to setUncaughtHandler */
    DG_REGISTRY_HOOKS,           /* functions of the Lua side that C calls, by name (init.lua) */
    DG_REGISTRY_UV,              /* luv's module table, once it was found, or the loop of setLoop */
    DG_REGISTRY_CLOSE_QUEUE,     /* handles that wait to be closed (watch.c) */
    DG_REGISTRY_IDLE,            /* luv's idle handle, while there is one */
    DG_REGISTRY_MODERATE,        /* moderation.c's function for protected calls */
    DG_REGISTRY_TIMER,           /* the poll handle of the timer, while there is one */
    DG_REGISTRY_SENTINEL,        /* a userdata whose finalizer notes that luv's loop may be gone */
    DG_REGISTRY_SENTINEL_META,   /* its metatable */
    DG_REGISTRY_ON_DUE,          /* the function given to onDue */
    DG_REGISTRY_STEP_TIMER,      /* the timer handle that bounds a step, while there is one */
    DG_REGISTRY_NOBODY,          /* a function that does nothing: the target of messages that nobody may get */
    DG_REGISTRY_CORE,            /* the module's table: a state has one, however often the module is loaded */
    DG_REGISTRY_SOURCE,          /* prefix of the chunk names of dgram's own Lua files */
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
