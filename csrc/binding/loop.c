/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include "luv.h"

/* Pushes the idle handle, making it if there is none. */
static void push_idle(lua_State *L)
{
    dg_hub_get(L, DG_STORE_IDLE);
    if (!lua_isnil(L, -1) && !dg_luv_is_closing(L))
        return;
    lua_pop(L, 1);
    dg_luv_new(L, "new_idle", 0);
    lua_pushvalue(L, -1);
    dg_hub_set(L, DG_STORE_IDLE);
}

static int start_idle(lua_State *L)
{
    push_idle(L);
    dg_luv_push(L, "idle_start");
    lua_insert(L, -2);
    dg_hub_get(L, DG_STORE_TICK);
    lua_call(L, 2, 0);
    return 0;
}

/* Finalizers that run while luv allocates may come back here: the flag is up before. One that ran the loop may have
 * stopped what is only being started: so it is up after, too, and the next turn puts things right. */
void dg_loop_start_tick(lua_State *L, dg_hub *hub)
{
    if (hub->ticking || !dg_luv_available(L))
        return;
    hub->ticking = 1;
    lua_pushcfunction(L, start_idle);
    int status = lua_pcall(L, 0, 0, 0);
    hub->ticking = status == 0;
    if (status != 0)
        lua_error(L);
}

void dg_loop_stop_tick(lua_State *L, dg_hub *hub)
{
    dg_hub_get(L, DG_STORE_IDLE);
    if (lua_isnil(L, -1) || hub->luv_gone) {
        lua_pop(L, 1);
        return;
    }
    int ticking = hub->ticking;
    hub->ticking = 0;
    if (hub->watched == 0) {
        lua_pushnil(L);
        dg_hub_set(L, DG_STORE_IDLE);
        dg_luv_call(L, "close");
    } else if (ticking) {
        dg_luv_call(L, "idle_stop");
    } else {
        lua_pop(L, 1);
    }
}

void dg_loop_stop(lua_State *L)
{
    if (!dg_luv_available(L))
        return;
    dg_luv_push(L, "stop");
    lua_call(L, 0, 0);
}
