/* SPDX-License-Identifier: MIT */
#include "guest.h"

#include <stdint.h>

#include "../lua/error.h"
#include "../loop/due.h"
#include "../loop/idle.h"
#include "../loop/luv.h"
#include "../loop/step_timer.h"
#include "../socket/dispatch.h"
#include "../socket/socket.h"

static const lua_Number LONGEST = 1e12; /* milliseconds: more would not fit in the clocks of all systems */

/* Calls a function of the loop without arguments and pushes its result. Raises where the loop does not have it. */
static void call_or_raise(lua_State *L, const char *call, const char *name)
{
    if (!dg_luv_ask(L, name))
        dg_error_raise(L, "Error", "ENOTSUP", "%s ENOTSUP: the loop has no function %s", call, name);
}

/* core.pollfd() */
static int guest_pollfd(lua_State *L)
{
    dg_luv_need(L, "dgram.pollfd");
    call_or_raise(L, "pollfd", "backend_fd");
    if (lua_type(L, -1) != LUA_TNUMBER || lua_tonumber(L, -1) < 0)
        dg_error_raise(L, "Error", "ENOTSUP", "pollfd ENOTSUP: the loop has no descriptor on this system");
    return 1;
}

/* Returns whether the loop has anything to do, as far as it tells. */
static int is_alive(lua_State *L)
{
    if (!dg_luv_ask(L, "loop_alive"))
        return 1;
    int alive = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return alive;
}

/* core.timeout(): seconds, or nil. A loop that has nothing to do answers 0, and must not keep the host busy. */
static int guest_timeout(lua_State *L)
{
    dg_luv_need(L, "dgram.timeout");
    if (dg_luv_ask(L, "update_time"))
        lua_pop(L, 1);
    call_or_raise(L, "timeout", "backend_timeout");
    lua_Number milliseconds = lua_tonumber(L, -1);
    if (dg_state_of(L)->due)
        lua_pushinteger(L, 0);
    else if (milliseconds < 0 || (milliseconds == 0 && !is_alive(L)))
        lua_pushnil(L);
    else
        lua_pushnumber(L, milliseconds / 1000);
    return 1;
}

/* Returns the milliseconds at the index; 0 for none. */
static lua_Number check_milliseconds(lua_State *L, int index)
{
    if (lua_isnoneornil(L, index))
        return 0;
    if (lua_type(L, index) != LUA_TNUMBER)
        dg_error_arg_type(L, index, "timeoutMs", "a number");
    lua_Number milliseconds = lua_tonumber(L, index);
    if (!(milliseconds >= 0))
        dg_error_range(L, index, "timeoutMs", ">= 0");
    if (milliseconds >= LONGEST)
        return LONGEST;
    const int64_t whole = (int64_t)milliseconds; /* no ceil(3): it would ask each C host for libm */
    return (lua_Number)(whole + ((lua_Number)whole < milliseconds));
}

/* Where the loop has nothing but sockets that do not keep it alive, luv would not look at them, and their descriptors
 * would keep the host busy. */
static void keep_alive(lua_State *L, dg_state *state)
{
    if (state->watched != 0 && !is_alive(L))
        dg_idle_start(L, state);
}

static int run(lua_State *L, const char *mode)
{
    lua_settop(L, 0);
    lua_pushstring(L, mode);
    return dg_dispatch_run(L);
}

static int run_once(lua_State *L)
{
    return run(L, "once");
}

/* A turn that waits at most so long. The timer is stopped whatever the turn raises. Without a socket nobody else would
 * close it, and luv has to make a turn after that. */
static int wait_and_run(lua_State *L, dg_state *state, lua_Number milliseconds)
{
    lua_settop(L, 0);
    dg_step_timer_start(L, milliseconds);
    lua_pushcfunction(L, run_once);
    state->stepping = 1;
    int status = lua_pcall(L, 0, 1, 0);
    state->stepping = 0;
    dg_step_timer_stop(L);
    if (status != 0)
        return lua_error(L);
    return state->watched == 0 && !state->idle_running && dg_step_timer_close(L) ? run(L, "nowait") : 1;
}

/* Raises inside of the loop. */
static void check_outside(lua_State *L, const dg_state *state)
{
    int inside = state->running != 0 || state->depth != 0;
    if (!inside && dg_luv_ask(L, "loop_mode")) {
        inside = lua_toboolean(L, -1);
        lua_pop(L, 1);
    }
    if (inside)
        dg_error_raise(
            L, "Error", "ERR_INVALID_STATE",
            "Invalid state: dgram.step is for the program around the loop, and was called inside of the loop");
}

/* core.step([milliseconds]): one turn. Returns whether anything is left to do. */
static int guest_step(lua_State *L)
{
    lua_Number milliseconds = check_milliseconds(L, 1);
    dg_luv_need(L, "dgram.step");
    dg_state *state = dg_state_of(L);
    check_outside(L, state);
    if (milliseconds > 0 && is_alive(L))
        return wait_and_run(L, state, milliseconds);
    keep_alive(L, state);
    return run(L, "nowait");
}

static const luaL_Reg core[] = {
    {"pollfd", guest_pollfd}, {"timeout", guest_timeout}, {"step", guest_step}, {NULL, NULL}};

void dg_guest_open(lua_State *L)
{
    dg_socket_add(L, NULL, core);
}
