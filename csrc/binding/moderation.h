/* SPDX-License-Identifier: MIT */
/* Receiving at intervals. Where datagrams come one by one in quick succession, what they cost is waking up for each.
 * Network cards have the same trouble, and moderate their interrupts: they tell a little later of what came, of several
 * at a time. Here the socket's poll is silent meanwhile, and an alarm has all moderated sockets looked at.
 *
 * Only sockets whose wake-ups come fast, find few datagrams and are not followed by anything sent are moderated: where
 * somebody waits for an answer, nothing is late. */
#ifndef DG_BINDING_MODERATION_H
#define DG_BINDING_MODERATION_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Microseconds from one look to the next, unless the option says otherwise. */
enum { DG_MODERATION_INTERVAL = 50 };
/* Wake-ups after which a socket is judged; s->wakes counts them. */
enum { DG_MODERATION_WINDOW = 64 };

/* After so many: moderates the socket at `index` where that pays. None of these raises. */
DG_COLD void dg_moderation_consider(lua_State *L, int index, dg_socket *s);

/* The alarm rings: lets it ring again. Returns how many sockets are moderated. */
unsigned dg_moderation_rung(lua_State *L, dg_hub *hub);
/* The next of them to be received from; NULL when there is none any more. */
dg_socket *dg_moderation_next(dg_hub *hub);
/* After the dispatch of one at `index`: ends its moderation where it does not pay any more. */
void dg_moderation_judge(lua_State *L, int index, dg_socket *s);

/* Has the poll of the moderated socket at `index` watch again; of all. */
void dg_moderation_end(lua_State *L, int index, dg_socket *s);
void dg_moderation_end_all(lua_State *L, dg_hub *hub);
/* The socket is being collected. */
void dg_moderation_forget(dg_socket *s);

/* No socket is watched any more: lets the alarm go. From inside the loop only. */
void dg_moderation_close(lua_State *L, dg_hub *hub);

/* core.setModeration(socket, boolean | microseconds) */
void dg_moderation_open(lua_State *L);

DG_HIDDEN_END

#endif
