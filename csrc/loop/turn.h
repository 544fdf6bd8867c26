/* SPDX-License-Identifier: MIT */
/* How long user code may run in one turn (iteration) of the loop. Listeners, callbacks and deferred events of all
 * sockets of the state share a time budget, and each socket has a count budget of datagrams. What is left waits for the
 * next turn, so that timers and other handles of the loop run in time. This file counts; whoever calls user code obeys.
 *
 * A turn begins when luv calls the idle callback (dispatch.c). The idle handle costs a wake-up, so it is only started
 * when user code has used a fifth of the time, or a socket its count. */
#ifndef DG_LOOP_TURN_H
#define DG_LOOP_TURN_H

#include "state.h"

DG_HIDDEN_BEGIN

enum {
    DG_TURN_TIME = 5000,     /* the time budget: microseconds for user code of all sockets */
    DG_TURN_MESSAGES = 2048, /* the count budget: datagrams of one socket */
};

/* A dispatch begins, and ends with what its begin has stored in `outer`; its user code is timed in between. A dispatch
 * inside of a listener, in a nested loop, has a budget of its own. To the listener around it, all of that is time which
 * the listener has used. */
void dg_turn_enter(dg_state *state, dg_turn *outer);
void dg_turn_leave(dg_state *state, const dg_turn *outer);
/* A new turn begins: luv has called the idle callback. */
void dg_turn_next(dg_state *state);
/* Reads the clock; returns whether the time budget is used up. */
int dg_turn_look(dg_state *state);

/* Calls of other user code come next in the same dispatch. That the calls before were short says nothing about these,
 * so the clock is read after the first one. */
static inline void dg_turn_others(dg_state *state)
{
    state->turn.step = state->turn.calls = 1;
}

/* Is called after each call of user code; returns whether the time budget is used up. The clock is read after the first
 * calls of one kind, and then after every eighth, as long as these are short. */
static inline int dg_turn_called(dg_state *state)
{
    return --state->turn.calls == 0 ? dg_turn_look(state) : state->turn.exhausted;
}

/* Returns whether the begin of the next turn must be seen: some budget is much used, and has to be renewed. */
static inline int dg_turn_must_end(const dg_state *state)
{
    return state->turn.ends || state->turn.spent >= DG_TURN_TIME / 5;
}

DG_HIDDEN_END

#endif
