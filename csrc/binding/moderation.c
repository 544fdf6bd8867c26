/* SPDX-License-Identifier: MIT */
#include "moderation.h"

#include "../net/option.h"
#include "../net/timer.h"
#include "alarm.h"
#include "error.h"
#include "luv.h"
#include "poll.h"

enum {
    LONGEST_INTERVAL = 1000000, /* microseconds */
    MOST_PER_WAKE = 4,          /* datagrams, on the average: where there are more, batches do it all */
    MOST_SCARCE = 4,            /* intervals, by and large in a row, with fewer than two datagrams */
    OVERHEAD = 832,             /* what the kernel takes of a receive buffer for a small datagram */
};

/* ---- What came */

/* How many datagrams the kernel gave it, modulo 2^32. */
static uint32_t seen(const dg_socket *s)
{
    return (uint32_t)(s->messages + s->refused);
}

/* How much of a receive buffer those had taken that came since the window was opened; with some to spare, as the kernel
 * takes twice a size that is just above a power of two. */
static uint64_t load(const dg_socket *s)
{
    return 2 * (uint64_t)((uint32_t)s->bytes - s->window_bytes) +
           (uint64_t)OVERHEAD * (uint32_t)(seen(s) - s->window_seen);
}

static void open_window(dg_socket *s)
{
    s->wakes = 0;
    s->window_at = dg_timer_clock();
    s->window_seen = seen(s);
    s->window_bytes = (uint32_t)s->bytes;
    s->window_sends = s->hub->sends;
}

static int was_sent_something(const dg_socket *s)
{
    return s->hub->sends != s->window_sends;
}

/* ---- The list of those that are moderated */

static unsigned place_of(const dg_hub *hub, const dg_socket *s)
{
    unsigned at = 0;
    while (at < hub->moderated_count && hub->moderated[at].socket != s)
        at++;
    return at;
}

static void set_interval(dg_hub *hub)
{
    hub->interval = LONGEST_INTERVAL;
    for (unsigned i = 0; i < hub->moderated_count; i++)
        if (hub->moderated[i].socket->interval < hub->interval)
            hub->interval = hub->moderated[i].socket->interval;
}

static void put_in(dg_hub *hub, dg_socket *s, uint32_t room)
{
    const dg_moderated entry = {s, room, 0, 0};
    hub->moderated[hub->moderated_count++] = entry;
    s->moderated = 1;
    set_interval(hub);
}

static void take_out(dg_hub *hub, const dg_socket *s)
{
    unsigned at = place_of(hub, s);
    if (at == hub->moderated_count)
        return;
    hub->moderated_count--;
    hub->next_moderated -= at < hub->next_moderated;
    for (; at < hub->moderated_count; at++)
        hub->moderated[at] = hub->moderated[at + 1];
    set_interval(hub);
    if (hub->moderated_count == 0)
        dg_alarm_arm(hub, 1); /* it still keeps the loop alive: when it rings, nobody needs it */
}

void dg_moderation_forget(dg_socket *s)
{
    if (s->hub->moderated_count != 0)
        take_out(s->hub, s);
    s->moderated = 0;
}

/* ---- Work that may raise, under one protected call */

enum work { BEGIN, END, REST };

/* Datagrams wait in the kernel's buffer, and must fit. Returns what they may take of it, 0 for nothing. */
static uint32_t room_of(const dg_socket *s)
{
    int bytes;
    return dg_option_get_receive_buffer(s->fd, &bytes) == 0 && bytes > 0 ? (uint32_t)bytes / 2 : 0;
}

/* A program that runs single turns expects what has come to be delivered when it runs the next one. Where luv does not
 * know the mode, a host may do that. */
static int loop_runs_on(lua_State *L)
{
    dg_luv_push(L, "loop_mode");
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return 0;
    }
    lua_call(L, 0, 1);
    const char *mode = lua_tostring(L, -1);
    int runs_on = mode != NULL && mode[0] == 'd'; /* default */
    lua_pop(L, 1);
    return runs_on;
}

static int may_be_moderated(const dg_socket *s)
{
    return dg_socket_takes_messages(s) && s->bound && !s->unreferenced;
}

static void begin(lua_State *L, dg_socket *s)
{
    dg_hub *hub = s->hub;
    if (!loop_runs_on(L) || !dg_alarm_need(L, hub))
        return;
    if (hub->moderated_count == 0)
        dg_alarm_reference(L, 1); /* in place of the polls that are stopped */
    if (!may_be_moderated(s) || s->moderated || hub->moderated_count == DG_MOST_MODERATED) { /* finalizers have run */
        if (hub->moderated_count == 0)
            dg_alarm_reference(L, 0);
        return;
    }
    put_in(hub, s, room_of(s));
    dg_alarm_arm(hub, hub->interval);
    dg_poll_update(L, 1, s);
}

/* Arguments: the socket, or nil; its light userdata; what to do. */
static int do_work(lua_State *L)
{
    dg_socket *s = lua_touserdata(L, 2);
    switch ((enum work)lua_tointeger(L, 3)) {
    case BEGIN:
        begin(L, s);
        break;
    case END:
        dg_poll_update(L, 1, s);
        break;
    case REST:
        dg_alarm_reference(L, 0);
        break;
    }
    return 0;
}

/* Returns whether it did not raise. The function is in the store, because making one may take memory. */
static int protect(lua_State *L, enum work work, int index, dg_socket *s)
{
    dg_hub_get(L, DG_STORE_MODERATE);
    if (s != NULL)
        lua_pushvalue(L, index);
    else
        lua_pushnil(L);
    lua_pushlightuserdata(L, s);
    lua_pushinteger(L, (lua_Integer)work);
    int done = lua_pcall(L, 3, 0, 0) == 0;
    if (!done)
        lua_pop(L, 1);
    return done;
}

/* ---- When */

/* Whether so many wake-ups came so fast that an interval has two of them or more, for little, and whether an interval's
 * datagrams will fit. */
static int pays(const dg_socket *s)
{
    uint32_t passed = dg_timer_clock() - s->window_at;
    return passed < DG_MODERATION_WINDOW / 2 * s->interval &&
           seen(s) - s->window_seen <= DG_MODERATION_WINDOW * MOST_PER_WAKE && !was_sent_something(s) &&
           load(s) * s->interval <= (uint64_t)room_of(s) * (passed + 1);
}

void dg_moderation_consider(lua_State *L, int index, dg_socket *s)
{
    dg_hub *hub = s->hub;
    int begins = s->interval != 0 && !s->moderated && may_be_moderated(s) && pays(s) && !hub->moderating;
    open_window(s);
    if (!begins)
        return;
    hub->moderating = 1;
    if (!protect(L, BEGIN, index, s))
        dg_moderation_forget(s); /* its poll watches as before */
    hub->moderating = 0;
}

void dg_moderation_end(lua_State *L, int index, dg_socket *s)
{
    s->moderated = 0;
    if (protect(L, END, index, s))
        take_out(s->hub, s);
    else if (place_of(s->hub, s) != s->hub->moderated_count)
        s->moderated = 1; /* it has to be received from at intervals until its poll is started again */
    open_window(s);
}

unsigned dg_moderation_rung(lua_State *L, dg_hub *hub)
{
    int needed = hub->moderated_count != 0 || !protect(L, REST, 0, NULL);
    dg_alarm_arm(hub, needed ? hub->interval : 0);
    hub->next_moderated = 0;
    return hub->moderated_count;
}

/* Those with longer intervals than the alarm's wait until theirs is over. */
dg_socket *dg_moderation_next(dg_hub *hub)
{
    while (hub->next_moderated < hub->moderated_count) {
        dg_moderated *entry = &hub->moderated[hub->next_moderated++];
        entry->elapsed += hub->interval;
        if (entry->elapsed + hub->interval / 2 >= entry->socket->interval) {
            entry->elapsed = 0;
            return entry->socket;
        }
    }
    return NULL;
}

/* Counts intervals with next to nothing; those with more make up for them. */
static int is_scarce(dg_moderated *entry, uint32_t received)
{
    if (received < 2)
        entry->scarce++;
    else if (entry->scarce != 0)
        entry->scarce--;
    return entry->scarce >= MOST_SCARCE;
}

static int still_pays(const dg_socket *s, dg_moderated *entry)
{
    return may_be_moderated(s) && !was_sent_something(s) && load(s) <= entry->room &&
           !is_scarce(entry, seen(s) - s->window_seen);
}

void dg_moderation_judge(lua_State *L, int index, dg_socket *s)
{
    dg_hub *hub = s->hub;
    unsigned at = place_of(hub, s);
    if (at == hub->moderated_count)
        return;
    if (still_pays(s, &hub->moderated[at]))
        open_window(s);
    else
        dg_moderation_end(L, index, s);
}

void dg_moderation_end_all(lua_State *L, dg_hub *hub)
{
    const int top = lua_gettop(L);
    for (unsigned left = hub->moderated_count; left != 0 && hub->moderated_count != 0; left--) {
        dg_socket *s = hub->moderated[hub->moderated_count - 1].socket;
        dg_socket_push(L, s);
        if (lua_isnil(L, -1))
            dg_moderation_forget(s);
        else
            dg_moderation_end(L, top + 1, s);
        lua_settop(L, top);
    }
}

void dg_moderation_close(lua_State *L, dg_hub *hub)
{
    if (hub->moderating) /* a finalizer has closed the last socket while the alarm is made: its maker will come here */
        return;
    while (hub->moderated_count != 0)
        dg_moderation_forget(hub->moderated[0].socket);
    dg_alarm_close(L, hub);
}

/* core.setModeration(socket, boolean | microseconds) */
static int core_set_moderation(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    int64_t interval = DG_MODERATION_INTERVAL;
    if (!lua_isboolean(L, 2) && lua_type(L, 2) != LUA_TNUMBER)
        dg_error_arg_type(L, 2, "options.moderation", "a boolean, or a number of microseconds");
    if (lua_isboolean(L, 2))
        interval = lua_toboolean(L, 2) ? DG_MODERATION_INTERVAL : 0;
    else if (!dg_isinteger(L, 2, &interval) || interval < 1 || interval > LONGEST_INTERVAL)
        dg_error_range(L, 2, "options.moderation", "an integer of 1 to 1000000, or false");
    if (s->family != AF_UNIX) /* what such a socket does not take holds its peers up */
        s->interval = (uint32_t)interval;
    return 0;
}

static const luaL_Reg methods[] = {{NULL, NULL}};
static const luaL_Reg core[] = {{"setModeration", core_set_moderation}, {NULL, NULL}};

void dg_moderation_open(lua_State *L)
{
    dg_socket_add(L, methods, core);
    lua_pushcfunction(L, do_work);
    dg_hub_set(L, DG_STORE_MODERATE);
}
