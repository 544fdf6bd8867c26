/* SPDX-License-Identifier: MIT */
/* Receiving at intervals, for sockets with the option moderation. Where datagrams come one by one in quick succession,
 * most of their cost is waking up for each. Network cards moderate their interrupts for the same reason. Here the
 * socket's poll is stopped, and one timer's callback receives for all moderated sockets of the state.
 *
 * The rule: moderation begins when 64 wake-ups took less than 32 intervals, and ends when an interval found nothing.
 * Datagrams that would overfill the receive buffer shorten the interval. */
#ifndef DG_SOCKET_MODERATION_H
#define DG_SOCKET_MODERATION_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Is called after a wake-up of the socket at `index`, which has the option: begins moderation by the rule. None of
 * these functions raises. */
void dg_moderation_woken(lua_State *L, int index, dg_socket *s);

/* The timer has fired: sets it again. Returns how many sockets are moderated. */
unsigned dg_moderation_fired(lua_State *L, dg_state *state);
/* Returns the next moderated socket to receive from; NULL: there are no more. */
dg_socket *dg_moderation_next(dg_state *state);
/* Is called after the dispatch of such a socket, which is at `index`: ends its moderation by the rule, or sets its
 * interval. */
void dg_moderation_review(lua_State *L, int index, dg_socket *s);

/* Ends the moderation of the socket at `index`: its poll is started again. */
void dg_moderation_end(lua_State *L, int index, dg_socket *s);
/* Ends it for a socket that is being collected. */
void dg_moderation_forget(dg_socket *s);

/* Closes the timer, because no socket is watched any more. To be called from inside the loop only. */
void dg_moderation_close(lua_State *L, dg_state *state);

/* Adds core.setModeration(socket, false | microseconds). */
void dg_moderation_open(lua_State *L);

DG_HIDDEN_END

#endif
