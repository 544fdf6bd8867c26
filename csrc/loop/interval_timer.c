/* SPDX-License-Identifier: MIT */
#include "interval_timer.h"

#include "../net/descriptor.h"
#include "../net/timer.h"
#include "due.h"
#include "luv.h"

/* Calls a function of luv's with the poll handle, if there is one. */
static void call_handle(lua_State *L, const char *name)
{
    dg_registry_get(L, DG_REGISTRY_TIMER);
    if (lua_isnil(L, -1))
        lua_pop(L, 1);
    else
        dg_luv_call(L, name);
}

static void forget(dg_state *state)
{
    if (state->timer_fd >= 0)
        dg_descriptor_close(state->timer_fd);
    state->timer_fd = -1;
    state->timer_watched = 0;
}

static int make(lua_State *L, dg_state *state)
{
    forget(state);
    state->timer_fd = dg_timer_open();
    if (state->timer_fd < 0)
        return 0;
    lua_pushinteger(L, state->timer_fd);
    dg_luv_new(L, "new_poll", 1);
    dg_registry_set(L, DG_REGISTRY_TIMER);
    return 1;
}

static void watch(lua_State *L, dg_state *state)
{
    call_handle(L, "unref");
    dg_luv_push(L, "poll_start");
    dg_registry_get(L, DG_REGISTRY_TIMER);
    lua_pushliteral(L, "r");
    lua_pushnil(L);
    dg_state_push_callback(L, state->on_timer);
    dg_luv_start(L, "poll_start", 3);
    state->timer_watched = 1;
    dg_due_note(L, state);
}

int dg_interval_timer_need(lua_State *L, dg_state *state)
{
    dg_registry_get(L, DG_REGISTRY_TIMER);
    int there = !lua_isnil(L, -1) && !dg_luv_is_closing(L); /* a program may close whatever handle it finds */
    lua_pop(L, 1);
    if (!there && !make(L, state))
        return 0;
    if (!state->timer_watched)
        watch(L, state);
    return 1;
}

int dg_interval_timer_arm(const dg_state *state, uint32_t microseconds)
{
    return state->timer_fd >= 0 ? dg_timer_set(state->timer_fd, microseconds) : 0;
}

void dg_interval_timer_reference(lua_State *L, int references)
{
    call_handle(L, references ? "ref" : "unref");
}

void dg_interval_timer_close(lua_State *L, dg_state *state)
{
    if (state->timer_fd < 0)
        return;
    if (!state->luv_gone) {
        call_handle(L, "close");
        lua_pushnil(L);
        dg_registry_set(L, DG_REGISTRY_TIMER);
    }
    forget(state);
}
