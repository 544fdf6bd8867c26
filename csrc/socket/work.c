/* SPDX-License-Identifier: MIT */
#include "work.h"

#include <string.h>

#include "../loop/due.h"
#include "../loop/idle.h"
#include "../loop/luv.h"
#include "../loop/turn.h"

/* A deferred call takes EVENT_PLACES places of registry[DG_REGISTRY_EVENTS]: socket (or false), event name or function,
 * and two arguments. A table of more than KEPT_PLACES is freed when it is empty: after ten thousand binds it has a
 * megabyte. */
enum { EVENT_PLACES = 4, KEPT_PLACES = 1024 };

static void append_pending(dg_state *state, dg_socket *s)
{
    if (s->job.queued)
        return;
    if (state->last_pending != NULL)
        state->last_pending->job.next = s;
    else
        state->first_pending = s;
    state->last_pending = s;
    state->pending_count++;
    s->job.queued = 1;
}

static void wake(lua_State *L, dg_state *state)
{
    if (state->depth != 0 || state->idle_running)
        return;
    dg_idle_start(L, state);
    dg_due_note(L, state);
}

void dg_work_mark(dg_socket *s, unsigned kinds)
{
    s->job.pending |= (unsigned char)kinds;
    s->state->to_flush |= (kinds & DG_WORK_FLUSH) != 0;
    append_pending(s->state, s);
}

/* Returns whether there is a loop, which is loaded only if it is needed. */
static int has_loop(lua_State *L, const dg_state *state, int needed)
{
    return state->depth != 0 || state->idle_running || (needed ? dg_luv_available(L) : dg_luv_present(L));
}

void dg_work_add(lua_State *L, int index, dg_socket *s, unsigned kinds)
{
    if (!has_loop(L, s->state, (kinds & DG_WORK_REPORT) != 0)) {
        s->job.owed |= (unsigned char)kinds;
        return;
    }
    dg_work_mark(s, kinds);
    if (!s->kept_alive)
        dg_socket_keep_alive(L, index, s);
    wake(L, s->state);
}

/* Pushes the table of deferred calls. */
static void push_events(lua_State *L)
{
    dg_registry_get(L, DG_REGISTRY_EVENTS);
    if (!lua_isnil(L, -1))
        return;
    lua_newtable(L);
    lua_replace(L, -2);
    dg_registry_get(L, DG_REGISTRY_EVENTS);
    if (!lua_isnil(L, -1)) { /* a finalizer has made one */
        lua_replace(L, -2);
        return;
    }
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    dg_registry_set(L, DG_REGISTRY_EVENTS);
}

int dg_work_defer(lua_State *L)
{
    dg_state *state = dg_state_of(L);
    if (!has_loop(L, state, 1)) {
        lua_pop(L, EVENT_PLACES); /* without a loop there are no events, and they must not pile up */
        return 0;
    }
    dg_socket *caller = lua_isfunction(L, -3) ? lua_touserdata(L, -4) : NULL;
    push_events(L);
    lua_insert(L, -EVENT_PLACES - 1);
    for (int place = EVENT_PLACES - 1; place >= 0; place--)
        lua_rawseti(L, -2 - place, (int)state->end_event + place + 1);
    state->end_event += EVENT_PLACES;
    if (caller != NULL)
        caller->job.calls++;
    lua_pop(L, 1);
    wake(L, state);
    return 1;
}

/* Returns whether nobody listens to the event of the socket at `index`. */
static int is_unheard(lua_State *L, int index, const char *event)
{
    dg_getuservalue(L, index);
    lua_rawgeti(L, -1, DG_SLOT_EVENTS);
    lua_remove(L, -2);
    if (lua_istable(L, -1)) {
        lua_pushstring(L, event);
        lua_rawget(L, -2);
        lua_remove(L, -2);
    }
    int unheard = lua_isnil(L, -1);
    lua_pop(L, 1);
    return unheard;
}

unsigned dg_work_owed_event(const char *event)
{
    return strcmp(event, "listening") == 0 ? DG_OWED_LISTENING
           : strcmp(event, "connect") == 0 ? DG_OWED_CONNECT
           : strcmp(event, "close") == 0   ? DG_OWED_CLOSE
                                           : 0;
}

/* Returns the dg_owed_event if the event waits for a loop: there is none yet, and nobody listens yet. 0: it does
 * not. */
static unsigned waits_for_loop(lua_State *L, int index, const dg_state *state, const char *event)
{
    unsigned owed = dg_work_owed_event(event);
    return owed != 0 && !has_loop(L, state, 0) && is_unheard(L, index, event) ? owed : 0;
}

int dg_work_emit(lua_State *L, int index, const char *event)
{
    dg_socket *s = lua_touserdata(L, index);
    unsigned owed = waits_for_loop(L, index, s->state, event);
    if (owed != 0) {
        lua_pop(L, 1);
        s->job.owed_events |= (unsigned char)owed;
        return 0;
    }
    lua_pushvalue(L, dg_absindex(L, index));
    lua_insert(L, -2);
    lua_pushstring(L, event);
    lua_insert(L, -2);
    lua_pushnil(L);
    return dg_work_defer(L);
}

/* Writes the event behind the last one, where it does not count yet. The places of its arguments are empty. A finalizer
 * may run the loop, which stops the idle handle, so this repeats until the handle runs. */
int dg_work_prepare(lua_State *L, int index, const char *event)
{
    dg_state *state = dg_state_of(L);
    int top = lua_gettop(L);
    index = dg_absindex(L, index);
    if (waits_for_loop(L, index, state, event))
        return 0;
    lua_pushstring(L, event);
    do {
        lua_settop(L, top + 1);
        if (!has_loop(L, state, 1)) {
            lua_settop(L, top);
            return 0;
        }
        wake(L, state);
        push_events(L);
    } while (state->depth == 0 && !state->idle_running);
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, (int)state->end_event + 1);
    lua_pushvalue(L, top + 1);
    lua_rawseti(L, -2, (int)state->end_event + 2);
    lua_settop(L, top);
    return 1;
}

void dg_work_commit(dg_socket *s, int prepared)
{
    if (prepared)
        s->state->end_event += EVENT_PLACES;
    else
        s->job.owed_events |= DG_OWED_LISTENING;
}

void dg_work_cancel(lua_State *L, dg_state *state)
{
    dg_registry_get(L, DG_REGISTRY_EVENTS);
    for (int place = 1; place <= 2; place++) {
        lua_pushnil(L);
        lua_rawseti(L, -2, (int)state->end_event + place);
    }
    lua_pop(L, 1);
}

void dg_work_call(lua_State *L, int index)
{
    if (index != 0)
        lua_pushvalue(L, index);
    else
        lua_pushboolean(L, 0);
    lua_insert(L, -4);
    dg_work_defer(L);
}

void dg_work_fail(lua_State *L, int index, int callback, lua_Integer value)
{
    if (callback == 0 || !lua_isfunction(L, callback)) {
        dg_work_emit(L, index, "error");
        return;
    }
    lua_pushvalue(L, callback);
    lua_insert(L, -2);
    lua_pushinteger(L, value);
    dg_work_call(L, index);
}

unsigned dg_work_deferred(const dg_state *state)
{
    return (unsigned)(state->end_event - state->first_event) / EVENT_PLACES;
}

void dg_work_take(lua_State *L, dg_state *state)
{
    dg_registry_get(L, DG_REGISTRY_EVENTS);
    int events = lua_gettop(L);
    for (int place = 1; place <= EVENT_PLACES; place++)
        lua_rawgeti(L, events, (int)state->first_event + place);
    for (int place = 1; place <= EVENT_PLACES; place++) {
        lua_pushnil(L);
        lua_rawseti(L, events, (int)state->first_event + place);
    }
    lua_remove(L, events);
    state->first_event += EVENT_PLACES;
    if (state->first_event != state->end_event)
        return;
    state->large_events |= state->end_event > KEPT_PLACES;
    state->first_event = state->end_event = 0;
}

dg_socket *dg_work_next(dg_state *state)
{
    dg_socket *s = state->first_pending;
    state->first_pending = s->job.next;
    if (state->first_pending == NULL)
        state->last_pending = NULL;
    state->pending_count--;
    s->job.next = NULL;
    s->job.queued = 0;
    return s;
}

void dg_work_resume(lua_State *L, dg_state *state)
{
    if (!dg_work_has_work(state) && (state->depth != 0 || state->pending_closes == 0))
        return;
    if (state->idle_running)
        dg_idle_check(L, state);
    dg_idle_start(L, state);
}

void dg_work_rest(lua_State *L, dg_state *state)
{
    if (dg_work_has_work(state) || dg_turn_must_end(state)) {
        dg_idle_start(L, state);
        return;
    }
    if (state->large_events) {
        state->large_events = 0;
        lua_pushnil(L);
        dg_registry_set(L, DG_REGISTRY_EVENTS);
    }
    if (state->idle_running || state->watched == 0)
        dg_idle_stop(L, state);
}
