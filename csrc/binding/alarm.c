/* SPDX-License-Identifier: MIT */
#include "alarm.h"

#include "../net/descriptor.h"
#include "../net/timer.h"
#include "luv.h"

/* Calls a function of luv's with the handle, if there is one. */
static void call_handle(lua_State *L, const char *name)
{
    dg_hub_get(L, DG_STORE_ALARM);
    if (lua_isnil(L, -1))
        lua_pop(L, 1);
    else
        dg_luv_call(L, name);
}

static void forget(dg_hub *hub)
{
    if (hub->alarm >= 0)
        dg_descriptor_close(hub->alarm);
    hub->alarm = -1;
    hub->alarm_watched = 0;
}

static int make(lua_State *L, dg_hub *hub)
{
    forget(hub);
    hub->alarm = dg_timer_open();
    if (hub->alarm < 0)
        return 0;
    lua_pushinteger(L, hub->alarm);
    dg_luv_new(L, "new_poll", 1);
    dg_hub_set(L, DG_STORE_ALARM);
    return 1;
}

static void watch(lua_State *L, dg_hub *hub)
{
    call_handle(L, "unref");
    dg_luv_push(L, "poll_start");
    dg_hub_get(L, DG_STORE_ALARM);
    lua_pushliteral(L, "r");
    lua_pushnil(L);
    dg_hub_push_callback(L, hub->on_alarm);
    lua_call(L, 3, 3);
    dg_luv_check(L, "poll_start");
    lua_pop(L, 3);
    hub->alarm_watched = 1;
}

int dg_alarm_need(lua_State *L, dg_hub *hub)
{
    dg_hub_get(L, DG_STORE_ALARM);
    int there = !lua_isnil(L, -1) && !dg_luv_is_closing(L); /* a program may close whatever handle it finds */
    lua_pop(L, 1);
    if (!there && !make(L, hub))
        return 0;
    if (!hub->alarm_watched)
        watch(L, hub);
    return 1;
}

int dg_alarm_arm(const dg_hub *hub, uint32_t microseconds)
{
    return hub->alarm >= 0 ? dg_timer_set(hub->alarm, microseconds) : 0;
}

void dg_alarm_reference(lua_State *L, int references)
{
    call_handle(L, references ? "ref" : "unref");
}

void dg_alarm_close(lua_State *L, dg_hub *hub)
{
    if (hub->alarm < 0)
        return;
    if (!hub->luv_gone) {
        call_handle(L, "close");
        lua_pushnil(L);
        dg_hub_set(L, DG_STORE_ALARM);
    }
    forget(hub);
}
