/* SPDX-License-Identifier: MIT */
#include "idle.h"

#include "luv.h"

/* Pushes the idle handle, making it if there is none. */
static void push_idle(lua_State *L)
{
    dg_registry_get(L, DG_REGISTRY_IDLE);
    if (!lua_isnil(L, -1) && !dg_luv_is_closing(L))
        return;
    lua_pop(L, 1);
    dg_luv_new(L, "new_idle", 0);
    lua_pushvalue(L, -1);
    dg_registry_set(L, DG_REGISTRY_IDLE);
}

static int start_idle(lua_State *L)
{
    push_idle(L);
    dg_luv_push(L, "idle_start");
    lua_insert(L, -2);
    dg_registry_get(L, DG_REGISTRY_ON_IDLE);
    dg_luv_start(L, "idle_start", 2);
    return 0;
}

/* Finalizers that run while luv allocates may call this function again, so idle_running is set before. One that runs
 * the loop may stop the handle that is being started, so idle_running is set after, too; the next turn stops what is
 * not needed. */
void dg_idle_start(lua_State *L, dg_state *state)
{
    if (state->idle_running || !dg_luv_present(L))
        return;
    state->idle_running = 1;
    lua_pushcfunction(L, start_idle);
    int status = lua_pcall(L, 0, 0, 0);
    state->idle_running = status == 0;
    if (status != 0)
        lua_error(L);
}

void dg_idle_check(lua_State *L, dg_state *state)
{
    dg_registry_get(L, DG_REGISTRY_IDLE);
    if (lua_isnil(L, -1) || dg_luv_is_closing(L))
        state->idle_running = 0;
    lua_pop(L, 1);
}

void dg_idle_stop(lua_State *L, dg_state *state)
{
    dg_registry_get(L, DG_REGISTRY_IDLE);
    if (lua_isnil(L, -1) || state->luv_gone) {
        lua_pop(L, 1);
        return;
    }
    int idle_running = state->idle_running;
    state->idle_running = 0;
    if (state->watched == 0) {
        lua_pushnil(L);
        dg_registry_set(L, DG_REGISTRY_IDLE);
        dg_luv_call(L, "close");
    } else if (idle_running) {
        dg_luv_call(L, "idle_stop");
    } else {
        lua_pop(L, 1);
    }
}

void dg_idle_stop_loop(lua_State *L)
{
    if (!dg_luv_present(L))
        return;
    dg_luv_push(L, "stop");
    lua_call(L, 0, 0);
}
