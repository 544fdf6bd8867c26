/* SPDX-License-Identifier: MIT */
/* Receiving at intervals, for sockets that ask for it (the option moderation). Where datagrams come one by one in quick
 * succession, what they cost is waking up for each. Network cards have the same trouble, and moderate their interrupts:
 * they tell a little later of what came, of several at a time. Here the socket's poll is silent meanwhile, and an timer
 * has all moderated sockets looked at.
 *
 * The rule: it begins when 64 wake-ups took less than 32 intervals, and ends when an interval found nothing. Datagrams
 * that would overfill the receive buffer shorten the interval. */
#ifndef DG_SOCKET_MODERATION_H
#define DG_SOCKET_MODERATION_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* After a wake-up of the socket at `index`, which has the option: moderates it by the rule. None of these raises. */
void dg_moderation_woken(lua_State *L, int index, dg_socket *s);

/* The timer rings: lets it ring again. Returns how many sockets are moderated. */
unsigned dg_moderation_fired(lua_State *L, dg_state *state);
/* The next of them to be received from; NULL when there is none any more. */
dg_socket *dg_moderation_next(dg_state *state);
/* After the dispatch of one at `index`: ends its moderation by the rule, or sets its interval. */
void dg_moderation_judge(lua_State *L, int index, dg_socket *s);

/* Has the poll of the moderated socket at `index` watch again. */
void dg_moderation_end(lua_State *L, int index, dg_socket *s);
/* The socket is being collected. */
void dg_moderation_forget(dg_socket *s);

/* No socket is watched any more: lets the timer go. From inside the loop only. */
void dg_moderation_close(lua_State *L, dg_state *state);

/* core.setModeration(socket, false | microseconds) */
void dg_moderation_open(lua_State *L);

DG_HIDDEN_END

#endif
