/* SPDX-License-Identifier: MIT */
#include "timers.h"

#include "../loop/due.h"
#include "../loop/luv.h"
#include "watch.h"
#include "work.h"

/* Starts the timer in a slot, which is made when it is first needed. */
static void start_timer(lua_State *L, int index, dg_socket *s, int slot, lua_CFunction callback,
                        lua_Number milliseconds)
{
    int top = lua_gettop(L);
    dg_getuservalue(L, index);
    lua_rawgeti(L, -1, slot);
    const int is_first = lua_isnil(L, -1);
    if (is_first || dg_luv_is_closing(L)) {
        lua_pop(L, 1);
        dg_watch_new_handle(L, s->state, "new_timer", 0);
        lua_pushvalue(L, -1);
        lua_rawseti(L, top + 1, slot);
        s->state->handles += (unsigned)is_first;
    }
    dg_luv_push(L, "timer_start");
    lua_insert(L, -2);
    lua_pushnumber(L, milliseconds);
    lua_pushinteger(L, 0);
    lua_pushlightuserdata(L, s);
    dg_state_push_callback(L, callback);
    dg_luv_start(L, "timer_start", 4);
    lua_settop(L, top);
}

void dg_timers_retry(lua_State *L, int index, dg_socket *s, unsigned milliseconds)
{
    start_timer(L, dg_absindex(L, index), s, DG_SLOT_TIMER, s->state->on_retry, milliseconds);
    dg_due_note(L, s->state);
}

/* libuv counts from when the loop last looked at the clock, which may be long ago. */
static void update_time(lua_State *L)
{
    dg_luv_push(L, "update_time");
    if (lua_isfunction(L, -1))
        lua_call(L, 0, 0);
    else
        lua_pop(L, 1);
}

/* Arguments: the socket, its light userdata, milliseconds. */
static int deadline_body(lua_State *L)
{
    dg_socket *s = lua_touserdata(L, 2);
    s->watch.busy = 1; /* as in watch.c */
    if (s->fd < 0)
        return 0;
    if (!s->watch.has_handle) /* who closes the one closes the other */
        dg_watch_make(L, 1, s);
    update_time(L);
    start_timer(L, 1, s, DG_SLOT_DEADLINE, s->state->on_deadline, lua_tonumber(L, 3));
    return 0;
}

void dg_timers_deadline(lua_State *L, int index, dg_socket *s, lua_Number milliseconds)
{
    index = dg_absindex(L, index);
    if (s->watch.busy) { /* in a finalizer, while luv is told of the descriptor: it is to be asked for again */
        dg_work_add(L, index, s, DG_WORK_CALLS);
        return;
    }
    lua_pushnumber(L, milliseconds);
    int status = dg_socket_call(L, index, s, deadline_body, 1, 0);
    s->watch.busy = 0;
    s->rx.has_deadline = status == 0;
    if (s->life == DG_CLOSING)
        dg_work_add(L, index, s, DG_WORK_CLOSE);
    if (status != 0)
        lua_error(L);
    dg_watch_update(L, index, s);
    dg_due_note(L, s->state);
}

void dg_timers_no_deadline(lua_State *L, int index, dg_socket *s)
{
    index = dg_absindex(L, index);
    s->rx.has_deadline = 0;
    if (!s->state->luv_gone) {
        dg_getuservalue(L, index);
        lua_rawgeti(L, -1, DG_SLOT_DEADLINE);
        if (!lua_isnil(L, -1))
            dg_luv_call(L, "timer_stop");
        else
            lua_pop(L, 1);
        lua_pop(L, 1);
    }
    dg_socket_keep_alive(L, index, s);
}
