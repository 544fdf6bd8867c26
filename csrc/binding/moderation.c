/* SPDX-License-Identifier: MIT */
#include "moderation.h"

#include "../net/option.h"
#include "../net/timer.h"
#include "alarm.h"
#include "error.h"
#include "luv.h"
#include "poll.h"

enum {
    WINDOW = 64,                /* wake-ups after which a socket is judged */
    LONGEST_INTERVAL = 1000000, /* microseconds */
    SHORTEST_PART = 8,          /* of the interval that was asked for: below it the poll watches again */
    OVERHEAD = 832,             /* what the kernel takes of a receive buffer for a small datagram */
};

/* How many datagrams the kernel gave it, modulo 2^32. */
static uint32_t seen(const dg_socket *s)
{
    return (uint32_t)(s->messages + s->refused + s->strangers);
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
        if (hub->moderated[i].interval < hub->interval)
            hub->interval = hub->moderated[i].interval;
}

static void count_from_here(dg_moderated *entry)
{
    entry->seen = seen(entry->socket);
    entry->bytes = (uint32_t)entry->socket->bytes;
}

static void put_in(dg_hub *hub, dg_socket *s, uint32_t room)
{
    dg_moderated entry = {s, room, s->interval, 0, 0, 0};
    count_from_here(&entry);
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

static int may_be_moderated(const dg_socket *s)
{
    return dg_socket_takes_messages(s) && s->bound && !s->unreferenced;
}

static void begin(lua_State *L, dg_socket *s)
{
    dg_hub *hub = s->hub;
    if (!dg_alarm_need(L, hub))
        return;
    if (hub->moderated_count == 0)
        dg_alarm_reference(L, 1); /* in place of the polls that are stopped */
    if (may_be_moderated(s) && !s->moderated && hub->moderated_count < DG_MOST_MODERATED) { /* finalizers have run */
        put_in(hub, s, room_of(s));
        if (dg_alarm_arm(hub, hub->interval) != 0)
            dg_moderation_forget(s);
    }
    if (hub->moderated_count == 0)
        dg_alarm_reference(L, 0);
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

void dg_moderation_woken(lua_State *L, int index, dg_socket *s)
{
    dg_hub *hub = s->hub;
    if (++s->wakes < WINDOW)
        return;
    uint32_t now = dg_timer_clock(), passed = now - s->window_at;
    s->wakes = 0;
    s->window_at = now;
    if (passed / (WINDOW / 2) >= s->interval || s->moderated || hub->moderating || !may_be_moderated(s))
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
    s->wakes = 0;
    s->window_at = dg_timer_clock();
}

static void end_all(lua_State *L, dg_hub *hub)
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

unsigned dg_moderation_rung(lua_State *L, dg_hub *hub)
{
    int needed = hub->moderated_count != 0 || !protect(L, REST, 0, NULL);
    if (dg_alarm_arm(hub, needed ? hub->interval : 0) != 0 && needed)
        end_all(L, hub);
    hub->next_moderated = 0;
    return hub->moderated_count;
}

/* Those with longer intervals than the alarm's wait until theirs is over. */
dg_socket *dg_moderation_next(dg_hub *hub)
{
    while (hub->next_moderated < hub->moderated_count) {
        dg_moderated *entry = &hub->moderated[hub->next_moderated++];
        entry->elapsed += hub->interval;
        if (entry->elapsed + hub->interval / 2 >= entry->interval) {
            entry->elapsed = 0;
            return entry->socket;
        }
    }
    return NULL;
}

/* How much of the receive buffer an interval's datagrams took; with some to spare, as the kernel takes twice a size that
 * is just above a power of two. */
static uint64_t load_of(const dg_moderated *entry)
{
    return 2 * (uint64_t)((uint32_t)entry->socket->bytes - entry->bytes) +
           (uint64_t)OVERHEAD * (uint32_t)(seen(entry->socket) - entry->seen);
}

/* Halves the interval when it filled a half of what there is room for, and lets it grow again. Returns whether there
 * still is one. */
static int fit_interval(dg_hub *hub, dg_moderated *entry)
{
    const uint32_t longest = entry->socket->interval;
    uint64_t load = load_of(entry);
    if (load > entry->room / 2)
        entry->interval /= 2;
    else if (load < entry->room / 8 && entry->interval < longest)
        entry->interval = 2 * entry->interval < longest ? 2 * entry->interval : longest;
    else
        return 1;
    set_interval(hub);
    return entry->interval > longest / SHORTEST_PART;
}

void dg_moderation_judge(lua_State *L, int index, dg_socket *s)
{
    dg_hub *hub = s->hub;
    unsigned at = place_of(hub, s);
    if (at == hub->moderated_count)
        return;
    dg_moderated *entry = &hub->moderated[at];
    if (may_be_moderated(s) && seen(s) != entry->seen && fit_interval(hub, entry))
        count_from_here(entry);
    else
        dg_moderation_end(L, index, s);
}

void dg_moderation_close(lua_State *L, dg_hub *hub)
{
    if (hub->moderating) /* a finalizer has closed the last socket while the alarm is made: its maker will come here */
        return;
    while (hub->moderated_count != 0)
        dg_moderation_forget(hub->moderated[0].socket);
    dg_alarm_close(L, hub);
}

/* core.setModeration(socket, false | microseconds) */
static int core_set_moderation(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    int64_t interval = 0;
    if (lua_isboolean(L, 2) && !lua_toboolean(L, 2))
        return 0;
    if (lua_type(L, 2) != LUA_TNUMBER)
        dg_error_arg_type(L, 2, "options.moderation", "a number of microseconds, or false");
    if (!dg_isinteger(L, 2, &interval) || interval < 1 || interval > LONGEST_INTERVAL)
        dg_error_range(L, 2, "options.moderation", "an integer >= 1 and <= 1000000");
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
