/* SPDX-License-Identifier: MIT */
/* How many slots the next receive is to offer, and whether to look again at once. A lone datagram should cost one plain
 * receive; a flood should fill all slots and not go through the loop each time. The first empty slot costs a third of a
 * receive, and a full one saves a turn of the loop: so a few are offered as long as now and then more than one is
 * filled. Where that fails several times in a row it is tried less and less often. Looking again is for full receives,
 * and for all of several datagrams as long as it finds more. */
#ifndef DG_BINDING_WANT_H
#define DG_BINDING_WANT_H

#include "socket.h"

DG_HIDDEN_BEGIN

enum { DG_WANT_AT_FIRST = 4 }; /* slots: as many datagrams as often wait for a loop that was asleep */

/* After a receive, which found so many slots' worth; `coalesced`: one, and that was a train. Sets want and linger, and
 * what these are chosen by. */
DG_HOT void dg_want_adapt(dg_socket *s, unsigned got, int coalesced);

DG_HIDDEN_END

#endif
