/* SPDX-License-Identifier: MIT */
#include "step_timer.h"

#include "idle.h"
#include "luv.h"
#include "state.h"

/* luv may call timers before it polls, and would then wait without one. Where a loop has no timer_stop, the timer may
 * fire after its step, too. */
static int on_step_timer(lua_State *L)
{
    if (dg_state_of(L)->stepping)
        dg_idle_stop_loop(L);
    return 0;
}

/* Pushes the timer, making it if there is none. */
static void push_timer(lua_State *L)
{
    dg_registry_get(L, DG_REGISTRY_STEP_TIMER);
    if (!lua_isnil(L, -1) && !dg_luv_is_closing(L))
        return;
    lua_pop(L, 1);
    dg_luv_new(L, "new_timer", 0);
    lua_pushvalue(L, -1);
    dg_registry_set(L, DG_REGISTRY_STEP_TIMER);
}

static void call(lua_State *L, const char *name)
{
    dg_registry_get(L, DG_REGISTRY_STEP_TIMER);
    if (lua_isnil(L, -1))
        lua_pop(L, 1);
    else
        dg_luv_call(L, name);
}

void dg_step_timer_start(lua_State *L, lua_Number milliseconds)
{
    push_timer(L);
    call(L, "unref");
    if (dg_luv_ask(L, "update_time")) /* luv counts from when its loop last looked at the clock */
        lua_pop(L, 1);
    dg_luv_push(L, "timer_start");
    lua_insert(L, -2);
    lua_pushnumber(L, milliseconds);
    lua_pushinteger(L, 0);
    lua_pushcfunction(L, on_step_timer);
    dg_luv_start(L, "timer_start", 4);
}

void dg_step_timer_stop(lua_State *L)
{
    call(L, "timer_stop");
}

int dg_step_timer_close(lua_State *L)
{
    dg_registry_get(L, DG_REGISTRY_STEP_TIMER);
    int there = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (there && !dg_state_of(L)->luv_gone) {
        call(L, "close");
        lua_pushnil(L);
        dg_registry_set(L, DG_REGISTRY_STEP_TIMER);
    }
    return there;
}
