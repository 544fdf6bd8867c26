/* SPDX-License-Identifier: MIT */
/* How long user code may run in one turn of the loop: listeners, callbacks and deferred events of all sockets of the
 * state share some milliseconds, and a socket hands out so many datagrams at most. What is left waits for the next
 * turn, so that timers and other handles of the loop get theirs.
 *
 * A turn begins when the idle handle is called (dispatch.c). It runs only while it is needed: so user code that has
 * used a fifth of its time asks for it. */
#ifndef DG_LOOP_TURN_H
#define DG_LOOP_TURN_H

#include "state.h"

DG_HIDDEN_BEGIN

enum {
    DG_TURN_TIME = 5000,     /* microseconds for user code */
    DG_TURN_MESSAGES = 2048, /* datagrams of one socket */
};

/* A dispatch begins, and ends (with what its begin filled): its user code is timed. One that runs inside of a
 * listener, in a nested loop, has a time of its own; for the listener around it, all of that is its time. */
void dg_turn_enter(dg_state *state, dg_turn *outer);
void dg_turn_leave(dg_state *state, const dg_turn *outer);
/* The idle handle was called: a new turn. */
void dg_turn_next(dg_state *state);
/* Reads the clock; returns whether the time is used up. */
int dg_turn_look(dg_state *state);

/* Calls of other user code come next, in the same dispatch: that those before were short says nothing of these. */
static inline void dg_turn_others(dg_state *state)
{
    state->turn.step = state->turn.calls = 1;
}

/* After each call of user code: whether the time is used up. The clock is read after the first calls of one kind, and
 * then after every eighth, as long as these are short. */
static inline int dg_turn_called(dg_state *state)
{
    return --state->turn.calls == 0 ? dg_turn_look(state) : state->turn.exhausted;
}

/* Whether the end of this turn must be seen. */
static inline int dg_turn_must_end(const dg_state *state)
{
    return state->turn.ends || state->turn.spent >= DG_TURN_TIME / 5;
}

DG_HIDDEN_END

#endif
