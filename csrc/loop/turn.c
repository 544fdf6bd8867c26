/* SPDX-License-Identifier: MIT */
#include "turn.h"

#include "../net/timer.h"

enum {
    MOST_CALLS = 8,                /* between two readings of the clock */
    LONG_STEP = DG_TURN_TIME / 10, /* microseconds between two readings after which it is read after each call */
};

static uint32_t add_time(dg_turn *turn)
{
    uint32_t now = dg_timer_clock(), passed = now - turn->since, left = DG_TURN_TIME - turn->spent;
    turn->since = now;
    turn->spent += passed < left ? passed : left;
    turn->exhausted = passed >= left;
    return passed;
}

static void set_step(dg_turn *turn, unsigned step)
{
    turn->step = turn->calls = (unsigned char)step;
}

void dg_turn_enter(dg_state *state, dg_turn *outer)
{
    dg_turn *turn = &state->turn;
    if (state->depth != 0) {
        *outer = *turn;
        turn->spent = turn->exhausted = 0;
    }
    turn->since = dg_timer_clock();
    set_step(turn, 1);
}

void dg_turn_leave(dg_state *state, const dg_turn *outer)
{
    const dg_turn inner = state->turn;
    if (state->depth == 0) {
        add_time(&state->turn);
    } else {
        state->turn = *outer;
        state->turn.serial = inner.serial;
        state->turn.ends = inner.ends;
    }
}

int dg_turn_look(dg_state *state)
{
    dg_turn *turn = &state->turn;
    if (add_time(turn) >= LONG_STEP)
        set_step(turn, 1);
    else
        set_step(turn, turn->step < MOST_CALLS ? 2U * turn->step : MOST_CALLS);
    return turn->exhausted;
}

void dg_turn_next(dg_state *state)
{
    state->turn.serial++;
    state->turn.spent = 0;
    state->turn.exhausted = state->turn.ends = 0;
}
