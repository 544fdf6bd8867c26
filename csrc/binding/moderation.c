/* SPDX-License-Identifier: MIT */
#include "moderation.h"

#include "../net/alarm.h"
#include "../net/descriptor.h"
#include "error.h"
#include "luv.h"
#include "poll.h"

enum {
    LONGEST_INTERVAL = 1000000, /* microseconds */
    FEW = 4,                    /* datagrams for each wake-up, on the average: more than that, and batches do it all */
    MANY = 128,                 /* for one interval: half of what a receive buffer of the usual size holds */
    MOST_SCARCE = 4,            /* intervals, by and large in a row, with less than two datagrams */
};

/* ---- The alarm */

static void close_descriptor(dg_hub *hub)
{
    if (hub->alarm >= 0)
        dg_descriptor_close(hub->alarm);
    hub->alarm = -1;
}

static void watch_alarm(lua_State *L, dg_hub *hub)
{
    lua_pushinteger(L, hub->alarm);
    dg_luv_new(L, "new_poll", 1);
    lua_pushvalue(L, -1);
    dg_hub_set(L, DG_STORE_ALARM);
    dg_luv_push(L, "poll_start");
    lua_pushvalue(L, -2);
    lua_pushliteral(L, "r");
    lua_pushnil(L);
    dg_hub_push_callback(L, hub->on_alarm);
    lua_call(L, 3, 3);
    dg_luv_check(L, "poll_start");
    lua_pop(L, 4);
}

/* Calls a function of luv's with the alarm's handle, if there is one. */
static void call_handle(lua_State *L, const char *name)
{
    dg_hub_get(L, DG_STORE_ALARM);
    if (lua_isnil(L, -1))
        lua_pop(L, 1);
    else
        dg_luv_call(L, name);
}

/* Returns whether there is an alarm then. */
static int need_alarm(lua_State *L, dg_hub *hub)
{
    dg_hub_get(L, DG_STORE_ALARM);
    int there = !lua_isnil(L, -1) && !dg_luv_is_closing(L); /* a program may close whatever handle it finds */
    lua_pop(L, 1);
    if (there)
        return 1;
    close_descriptor(hub);
    hub->alarm = dg_alarm_open();
    if (hub->alarm < 0)
        return 0;
    watch_alarm(L, hub);
    return 1;
}

/* ---- Which sockets are moderated */

static void take_out(dg_hub *hub, const dg_socket *s)
{
    unsigned at = 0;
    while (at < hub->moderated_count && hub->moderated[at] != s)
        at++;
    if (at == hub->moderated_count)
        return;
    hub->moderated_count--;
    hub->next_moderated -= at < hub->next_moderated;
    for (; at < hub->moderated_count; at++)
        hub->moderated[at] = hub->moderated[at + 1];
}

void dg_moderation_forget(dg_socket *s)
{
    if (s->moderated)
        take_out(s->hub, s);
    s->moderated = 0;
}

/* Whether it wants datagrams at all, and the loop to wait for them. */
static int takes_datagrams(const dg_socket *s)
{
    return s->life == DG_OPEN && s->bound && s->receiving && !s->paused && !s->resting && !s->unreferenced;
}

/* ---- When */

/* How many datagrams the kernel gave it, modulo 2^32. */
static uint32_t seen(const dg_socket *s)
{
    return (uint32_t)(s->messages + s->refused);
}

/* Begins to count anew. */
static void open_window(dg_socket *s)
{
    s->wakes = 0;
    s->window_at = dg_alarm_clock();
    s->window_seen = seen(s);
    s->window_dispatch = s->hub->dispatches;
}

/* Whether something was sent since the window was opened. */
static int has_sent(const dg_socket *s)
{
    return (int32_t)(s->hub->sent_in - s->window_dispatch) >= 0;
}

/* Whether there were so many wake-ups that an interval has two of them or more, and what else has to be. */
static int pays(const dg_socket *s)
{
    return dg_alarm_clock() - s->window_at < DG_MODERATION_WINDOW / 2 * s->interval &&
           seen(s) - s->window_seen <= DG_MODERATION_WINDOW * FEW && !has_sent(s);
}

/* A loop that is run for a turn at a time is expected to deliver what has come when it is run. */
static int loop_goes_on(lua_State *L)
{
    dg_luv_push(L, "loop_mode");
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return 1;
    }
    lua_call(L, 0, 1);
    const char *mode = lua_tostring(L, -1);
    int goes_on = mode == NULL || mode[0] == 'd';
    lua_pop(L, 1);
    return goes_on;
}

/* Arguments: the socket, its light userdata. */
static int begin(lua_State *L)
{
    dg_socket *s = lua_touserdata(L, 2);
    dg_hub *hub = s->hub;
    if (!loop_goes_on(L) || !need_alarm(L, hub))
        return 0;
    if (!takes_datagrams(s) || s->moderated || hub->moderated_count == DG_MOST_MODERATED) /* finalizers have run */
        return 0;
    if (hub->moderated_count == 0 || s->interval < hub->interval)
        hub->interval = s->interval;
    if (hub->moderated_count == 0) {
        if (dg_alarm_set(hub->alarm, hub->interval) != 0)
            return 0;
        call_handle(L, "ref");
    }
    hub->moderated[hub->moderated_count++] = s;
    s->moderated = 1;
    dg_poll_update(L, 1, s);
    return 0;
}

static int update_poll(lua_State *L)
{
    dg_poll_update(L, 1, lua_touserdata(L, 2));
    return 0;
}

/* Calls one of these. Returns whether it did not raise. */
static int protect(lua_State *L, lua_CFunction function, int index, dg_socket *s)
{
    lua_pushcfunction(L, function);
    lua_pushvalue(L, index);
    lua_pushlightuserdata(L, s);
    int done = lua_pcall(L, 2, 0, 0) == 0;
    if (!done)
        lua_pop(L, 1);
    return done;
}

void dg_moderation_consider(lua_State *L, int index, dg_socket *s)
{
    int begins = s->interval != 0 && !s->moderated && takes_datagrams(s) && pays(s);
    open_window(s);
    if (begins && !protect(L, begin, index, s))
        dg_moderation_forget(s); /* its poll watches as before */
}

unsigned dg_moderation_rung(lua_State *L, dg_hub *hub)
{
    dg_alarm_set(hub->alarm, hub->moderated_count != 0 ? hub->interval : 0);
    if (hub->moderated_count == 0)
        call_handle(L, "unref");
    hub->next_moderated = 0;
    return hub->moderated_count;
}

dg_socket *dg_moderation_next(dg_hub *hub)
{
    return hub->next_moderated < hub->moderated_count ? hub->moderated[hub->next_moderated++] : NULL;
}

/* Counts intervals with next to nothing; those with more make up for them. */
static int is_scarce(dg_socket *s, uint32_t received)
{
    if (received < 2)
        s->wakes++;
    else if (s->wakes != 0)
        s->wakes--;
    return s->wakes >= MOST_SCARCE;
}

void dg_moderation_judge(lua_State *L, int index, dg_socket *s)
{
    const uint32_t received = seen(s) - s->window_seen;
    s->window_seen = seen(s);
    if (!s->moderated || (takes_datagrams(s) && received <= MANY && !is_scarce(s, received) && !has_sent(s)))
        return;
    s->moderated = 0;
    if (protect(L, update_poll, index, s))
        take_out(s->hub, s);
    else
        s->moderated = 1; /* it has to be looked at until its poll does it again */
    open_window(s);
}

void dg_moderation_close(lua_State *L, dg_hub *hub)
{
    while (hub->moderated_count != 0)
        dg_moderation_forget(hub->moderated[0]);
    if (hub->alarm < 0)
        return;
    if (!hub->luv_gone) {
        call_handle(L, "close");
        lua_pushnil(L);
        dg_hub_set(L, DG_STORE_ALARM);
    }
    close_descriptor(hub);
}

static int core_set_moderation(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    lua_Integer interval = DG_MODERATION_INTERVAL;
    if (!lua_isboolean(L, 2) && lua_type(L, 2) != LUA_TNUMBER)
        dg_error_arg_type(L, 2, "options.moderation", "a boolean or a number");
    if (lua_isboolean(L, 2))
        interval = lua_toboolean(L, 2) ? DG_MODERATION_INTERVAL : 0;
    else if (!dg_isinteger(L, 2, &interval) || interval < 1 || interval > LONGEST_INTERVAL)
        dg_error_range(L, 2, "options.moderation", "an integer of 1 to 1000000");
    if (s->family != AF_UNIX)
        s->interval = (uint32_t)interval;
    return 0;
}

static const luaL_Reg methods[] = {{NULL, NULL}};
static const luaL_Reg core[] = {{"setModeration", core_set_moderation}, {NULL, NULL}};

void dg_moderation_open(lua_State *L)
{
    dg_socket_add(L, methods, core);
}
