/* SPDX-License-Identifier: MIT */
/* socket:reply: an answer to the sender of a message. What is in the message's rinfo came off the wire: it never makes
 * the method raise. */
#ifndef DG_SOCKET_REPLY_H
#define DG_SOCKET_REPLY_H

#include "../net/attributes.h"
#include "../lua/compat.h"

DG_HIDDEN_BEGIN

/* Adds the method. */
void dg_reply_open(lua_State *L);

DG_HIDDEN_END

#endif
