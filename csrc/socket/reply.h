/* SPDX-License-Identifier: MIT */
/* socket:reply: an answer to the sender of a message. The contents of the rinfo came from the network, so they never
 * make the method raise. */
#ifndef DG_SOCKET_REPLY_H
#define DG_SOCKET_REPLY_H

#include "../net/attributes.h"
#include "../lua/compat.h"

DG_HIDDEN_BEGIN

/* Adds the method. */
void dg_reply_open(lua_State *L);

DG_HIDDEN_END

#endif
