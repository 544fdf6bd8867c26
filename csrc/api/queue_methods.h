/* SPDX-License-Identifier: MIT */
/* The methods that measure the send queue, flush it, or give it up. */
#ifndef DG_API_QUEUE_METHODS_H
#define DG_API_QUEUE_METHODS_H

#include "../lua/compat.h"
#include "../net/attributes.h"

DG_HIDDEN_BEGIN

/* Adds the methods, and core.cancelQueue. */
void dg_queue_methods_open(lua_State *L);

DG_HIDDEN_END

#endif
