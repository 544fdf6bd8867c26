/* SPDX-License-Identifier: MIT */
#include "tick.h"

#include "loop.h"
#include "luv.h"
#include "turn.h"

/* A deferred call takes EVENT_PLACES places of store[DG_STORE_EVENTS]: socket (or false), event name or function, and
 * two arguments. A table of more than KEPT_PLACES is let go when it is empty: ten thousand binds leave one of a
 * megabyte. */
enum { EVENT_PLACES = 4, KEPT_PLACES = 1024 };

static void append_due(dg_hub *hub, dg_socket *s)
{
    if (s->listed)
        return;
    if (hub->last_due != NULL)
        hub->last_due->next_due = s;
    else
        hub->due = s;
    hub->last_due = s;
    hub->due_count++;
    s->listed = 1;
}

static void wake(lua_State *L, dg_hub *hub)
{
    if (hub->depth == 0 && !hub->ticking)
        dg_loop_start_tick(L, hub);
}

void dg_tick_note(dg_socket *s, unsigned due)
{
    s->due |= (unsigned char)due;
    append_due(s->hub, s);
}

void dg_tick_due(lua_State *L, int index, dg_socket *s, unsigned due)
{
    if (s->hub->depth == 0 && !s->hub->ticking && !dg_luv_available(L))
        return;
    dg_tick_note(s, due);
    if (!s->anchored)
        dg_socket_anchor(L, index, s);
    wake(L, s->hub);
}

/* Pushes the table of deferred calls. */
static void push_events(lua_State *L)
{
    dg_hub_get(L, DG_STORE_EVENTS);
    if (!lua_isnil(L, -1))
        return;
    lua_newtable(L);
    lua_replace(L, -2);
    dg_hub_get(L, DG_STORE_EVENTS);
    if (!lua_isnil(L, -1)) { /* a finalizer was first */
        lua_replace(L, -2);
        return;
    }
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    dg_hub_set(L, DG_STORE_EVENTS);
}

int dg_tick_defer(lua_State *L)
{
    dg_hub *hub = dg_hub_of(L);
    if (hub->depth == 0 && !hub->ticking && !dg_luv_available(L)) {
        lua_pop(L, EVENT_PLACES); /* without a loop there are no events, and nothing may pile up */
        return 0;
    }
    push_events(L);
    lua_insert(L, -EVENT_PLACES - 1);
    for (int place = EVENT_PLACES - 1; place >= 0; place--)
        lua_rawseti(L, -2 - place, (int)hub->end_event + place + 1);
    hub->end_event += EVENT_PLACES;
    lua_pop(L, 1);
    wake(L, hub);
    return 1;
}

int dg_tick_emit(lua_State *L, int index, const char *event)
{
    lua_pushvalue(L, dg_absindex(L, index));
    lua_insert(L, -2);
    lua_pushstring(L, event);
    lua_insert(L, -2);
    lua_pushnil(L);
    return dg_tick_defer(L);
}

/* Writes the event behind the last one, where it does not count yet; its arguments' places there are empty. Finalizers
 * that run before may run the loop, which stops the tick. */
int dg_tick_prepare(lua_State *L, int index, const char *event)
{
    dg_hub *hub = dg_hub_of(L);
    int top = lua_gettop(L);
    index = dg_absindex(L, index);
    lua_pushstring(L, event);
    do {
        lua_settop(L, top + 1);
        if (hub->depth == 0 && !hub->ticking && !dg_luv_available(L)) {
            lua_settop(L, top);
            return 0;
        }
        wake(L, hub);
        push_events(L);
    } while (hub->depth == 0 && !hub->ticking);
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, (int)hub->end_event + 1);
    lua_pushvalue(L, top + 1);
    lua_rawseti(L, -2, (int)hub->end_event + 2);
    lua_settop(L, top);
    return 1;
}

void dg_tick_commit(dg_hub *hub)
{
    hub->end_event += EVENT_PLACES;
}

void dg_tick_cancel(lua_State *L, dg_hub *hub)
{
    dg_hub_get(L, DG_STORE_EVENTS);
    for (int place = 1; place <= 2; place++) {
        lua_pushnil(L);
        lua_rawseti(L, -2, (int)hub->end_event + place);
    }
    lua_pop(L, 1);
}

void dg_tick_call(lua_State *L)
{
    lua_pushboolean(L, 0);
    lua_insert(L, -4);
    dg_tick_defer(L);
}

void dg_tick_fail(lua_State *L, int index, int callback, lua_Integer value)
{
    if (callback == 0 || !lua_isfunction(L, callback)) {
        dg_tick_emit(L, index, "error");
        return;
    }
    lua_pushvalue(L, callback);
    lua_insert(L, -2);
    lua_pushinteger(L, value);
    dg_tick_call(L);
}

unsigned dg_tick_deferred(const dg_hub *hub)
{
    return (unsigned)(hub->end_event - hub->first_event) / EVENT_PLACES;
}

void dg_tick_take(lua_State *L, dg_hub *hub)
{
    dg_hub_get(L, DG_STORE_EVENTS);
    int events = lua_gettop(L);
    for (int place = 1; place <= EVENT_PLACES; place++)
        lua_rawgeti(L, events, (int)hub->first_event + place);
    for (int place = 1; place <= EVENT_PLACES; place++) {
        lua_pushnil(L);
        lua_rawseti(L, events, (int)hub->first_event + place);
    }
    lua_remove(L, events);
    hub->first_event += EVENT_PLACES;
    if (hub->first_event != hub->end_event)
        return;
    hub->large_events |= hub->end_event > KEPT_PLACES;
    hub->first_event = hub->end_event = 0;
}

dg_socket *dg_tick_next(dg_hub *hub)
{
    dg_socket *s = hub->due;
    hub->due = s->next_due;
    if (hub->due == NULL)
        hub->last_due = NULL;
    hub->due_count--;
    s->next_due = NULL;
    s->listed = 0;
    return s;
}

void dg_tick_resume(lua_State *L, dg_hub *hub)
{
    if (dg_tick_has_work(hub))
        dg_loop_start_tick(L, hub);
}

void dg_tick_rest(lua_State *L, dg_hub *hub)
{
    if (dg_tick_has_work(hub) || dg_turn_must_end(hub)) {
        dg_loop_start_tick(L, hub);
        return;
    }
    if (hub->large_events) {
        hub->large_events = 0;
        lua_pushnil(L);
        dg_hub_set(L, DG_STORE_EVENTS);
    }
    if (hub->ticking || hub->watched == 0)
        dg_loop_stop_tick(L, hub);
}
