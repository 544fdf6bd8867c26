/* SPDX-License-Identifier: MIT */
#include "moderation.h"

#include "../net/option.h"
#include "../net/timer.h"
#include "../lua/error.h"
#include "../loop/luv.h"
#include "../loop/interval_timer.h"
#include "watch.h"

enum {
    WINDOW = 64,                /* wake-ups after which the rule is applied */
    LONGEST_INTERVAL = 1000000, /* microseconds */
    SHORTEST_PART = 8,          /* moderation ends when the interval falls to this part of the option's */
    OVERHEAD = 832,             /* bytes of the receive buffer that a small datagram fills */
};

/* Returns how many datagrams the socket has received, modulo 2^32. */
static uint32_t datagrams_received(const dg_socket *s)
{
    return (uint32_t)(s->rx.messages + s->rx.blocked + s->rx.strangers);
}

/* ---- The list of moderated sockets */

static unsigned index_of(const dg_state *state, const dg_socket *s)
{
    unsigned at = 0;
    while (at < state->moderated_count && state->moderated[at].socket != s)
        at++;
    return at;
}

static void set_interval(dg_state *state)
{
    state->interval = LONGEST_INTERVAL;
    for (unsigned i = 0; i < state->moderated_count; i++)
        if (state->moderated[i].interval < state->interval)
            state->interval = state->moderated[i].interval;
}

static void count_from_here(dg_moderated *entry)
{
    entry->datagrams = datagrams_received(entry->socket);
    entry->bytes = (uint32_t)entry->socket->rx.bytes;
}

static void add_entry(dg_state *state, dg_socket *s, uint32_t room)
{
    dg_moderated entry = {s, room, s->rx.interval, 0, 0, 0};
    count_from_here(&entry);
    state->moderated[state->moderated_count++] = entry;
    s->rx.moderated = 1;
    set_interval(state);
}

static void remove_entry(dg_state *state, const dg_socket *s)
{
    unsigned at = index_of(state, s);
    if (at == state->moderated_count)
        return;
    state->moderated_count--;
    state->next_moderated -= at < state->next_moderated;
    for (; at < state->moderated_count; at++)
        state->moderated[at] = state->moderated[at + 1];
    set_interval(state);
    if (state->moderated_count == 0)
        dg_interval_timer_arm(state, 1); /* the timer still keeps the loop alive; its callback ends that */
}

void dg_moderation_forget(dg_socket *s)
{
    if (s->state->moderated_count != 0)
        remove_entry(s->state, s);
    s->rx.moderated = 0;
}

/* ---- Work that may raise, under one protected call */

/* Begin to moderate a socket; start a socket's poll again; have the timer keep the loop alive no more. */
enum step { START, RESTART_POLL, RELEASE_LOOP };

/* Returns how many bytes of the receive buffer the datagrams of an interval may fill; 0: not known, so none. */
static uint32_t buffer_share(const dg_socket *s)
{
    int bytes;
    return dg_option_get_receive_buffer(s->fd, &bytes) == 0 && bytes > 0 ? (uint32_t)bytes / 2 : 0;
}

static int may_be_moderated(const dg_socket *s)
{
    return dg_socket_takes_messages(s) && s->local.state == DG_BOUND && !s->watch.unreferenced;
}

static void begin(lua_State *L, dg_socket *s)
{
    dg_state *state = s->state;
    if (!dg_interval_timer_need(L, state))
        return;
    dg_interval_timer_reference(L, 1); /* the timer, perhaps a new one, keeps the loop alive, not the polls */
    if (may_be_moderated(s) && !s->rx.moderated &&
        state->moderated_count < DG_MOST_MODERATED) { /* finalizers have run */
        add_entry(state, s, buffer_share(s));
        if (dg_interval_timer_arm(state, state->interval) != 0)
            dg_moderation_forget(s);
    }
    if (state->moderated_count == 0)
        dg_interval_timer_reference(L, 0);
    dg_watch_update(L, 1, s);
}

/* Arguments: the socket, or nil; its light userdata; the step. */
static int run_step(lua_State *L)
{
    dg_socket *s = lua_touserdata(L, 2);
    switch ((enum step)lua_tointeger(L, 3)) {
    case START:
        begin(L, s);
        break;
    case RESTART_POLL:
        dg_watch_update(L, 1, s);
        break;
    case RELEASE_LOOP:
        dg_interval_timer_reference(L, 0);
        break;
    }
    return 0;
}

/* Runs a step in a protected call. Returns whether it did not raise. The function is in the registry, because making it
 * may take memory. */
static int run_protected(lua_State *L, enum step step, int index, dg_socket *s)
{
    dg_registry_get(L, DG_REGISTRY_MODERATE);
    if (s != NULL)
        lua_pushvalue(L, index);
    else
        lua_pushnil(L);
    lua_pushlightuserdata(L, s);
    lua_pushinteger(L, (lua_Integer)step);
    int done = lua_pcall(L, 3, 0, 0) == 0;
    if (!done)
        lua_pop(L, 1);
    return done;
}

/* ---- The rule */

void dg_moderation_woken(lua_State *L, int index, dg_socket *s)
{
    dg_state *state = s->state;
    if (++s->rx.wakes < WINDOW)
        return;
    uint32_t now = dg_timer_clock(), passed = now - s->rx.window_at;
    s->rx.wakes = 0;
    s->rx.window_at = now;
    if (passed / (WINDOW / 2) >= s->rx.interval || s->rx.moderated || state->moderating || !may_be_moderated(s))
        return;
    state->moderating = 1;
    if (!run_protected(L, START, index, s))
        dg_moderation_forget(s); /* the poll watches as before */
    state->moderating = 0;
}

void dg_moderation_end(lua_State *L, int index, dg_socket *s)
{
    s->rx.moderated = 0;
    if (run_protected(L, RESTART_POLL, index, s))
        remove_entry(s->state, s);
    else if (index_of(s->state, s) != s->state->moderated_count)
        s->rx.moderated = 1; /* the poll could not be started: it is received from at intervals until that works */
    s->rx.wakes = 0;
    s->rx.window_at = dg_timer_clock();
}

static void end_all(lua_State *L, dg_state *state)
{
    const int top = lua_gettop(L);
    for (unsigned left = state->moderated_count; left != 0 && state->moderated_count != 0; left--) {
        dg_socket *s = state->moderated[state->moderated_count - 1].socket;
        dg_socket_push(L, s);
        if (lua_isnil(L, -1))
            dg_moderation_forget(s);
        else
            dg_moderation_end(L, top + 1, s);
        lua_settop(L, top);
    }
}

unsigned dg_moderation_fired(lua_State *L, dg_state *state)
{
    int needed = state->moderated_count != 0 || !run_protected(L, RELEASE_LOOP, 0, NULL);
    if (dg_interval_timer_arm(state, needed ? state->interval : 0) != 0 && needed)
        end_all(L, state);
    state->next_moderated = 0;
    return state->moderated_count;
}

/* A socket with a longer interval than the timer's waits until its own is over. */
dg_socket *dg_moderation_next(dg_state *state)
{
    while (state->next_moderated < state->moderated_count) {
        dg_moderated *entry = &state->moderated[state->next_moderated++];
        entry->elapsed += state->interval;
        if (entry->elapsed + state->interval / 2 >= entry->interval) {
            entry->elapsed = 0;
            return entry->socket;
        }
    }
    return NULL;
}

/* Returns how many bytes of the receive buffer an interval's datagrams have filled, at most: the kernel takes twice a
 * size that is just above a power of two. */
static uint64_t buffer_used(const dg_moderated *entry)
{
    return 2 * (uint64_t)((uint32_t)entry->socket->rx.bytes - entry->bytes) +
           (uint64_t)OVERHEAD * (uint32_t)(datagrams_received(entry->socket) - entry->datagrams);
}

/* Halves the interval when its datagrams filled half of the buffer's share, and doubles it again when they filled less
 * than an eighth. Returns whether the interval is still long enough. */
static int fit_interval(dg_state *state, dg_moderated *entry)
{
    const uint32_t longest = entry->socket->rx.interval;
    uint64_t load = buffer_used(entry);
    if (load > entry->buffer_share / 2)
        entry->interval /= 2;
    else if (load < entry->buffer_share / 8 && entry->interval < longest)
        entry->interval = 2 * entry->interval < longest ? 2 * entry->interval : longest;
    else
        return 1;
    set_interval(state);
    return entry->interval > longest / SHORTEST_PART;
}

void dg_moderation_review(lua_State *L, int index, dg_socket *s)
{
    dg_state *state = s->state;
    unsigned at = index_of(state, s);
    if (at == state->moderated_count)
        return;
    dg_moderated *entry = &state->moderated[at];
    if (may_be_moderated(s) && datagrams_received(s) != entry->datagrams && fit_interval(state, entry))
        count_from_here(entry);
    else
        dg_moderation_end(L, index, s);
}

void dg_moderation_close(lua_State *L, dg_state *state)
{
    if (state->moderating) /* a finalizer has closed the last socket while the timer is made: it is closed after that */
        return;
    while (state->moderated_count != 0)
        dg_moderation_forget(state->moderated[0].socket);
    dg_interval_timer_close(L, state);
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
    if (s->family != AF_UNIX) /* a Unix socket that does not receive at once holds up its peers */
        s->rx.interval = (uint32_t)interval;
    return 0;
}

static const luaL_Reg core[] = {{"setModeration", core_set_moderation}, {NULL, NULL}};

void dg_moderation_open(lua_State *L)
{
    dg_socket_add(L, NULL, core);
    lua_pushcfunction(L, run_step);
    dg_registry_set(L, DG_REGISTRY_MODERATE);
}
