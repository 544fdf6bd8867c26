/* SPDX-License-Identifier: MIT */
#include "tick.h"

#include <string.h>

#include "endpoint.h"
#include "error.h"
#include "luv.h"
#include "loop.h"
#include "poll.h"
#include "receive.h"
#include "outbox.h"

/* A deferred call takes EVENT_PLACES places of store[DG_STORE_EVENTS]: socket (or false), event name or function, and two
 * arguments. A table of more than KEPT_PLACES is let go when it is empty: ten thousand binds leave one of a megabyte. */
enum { EVENT_PLACES = 4, KEPT_PLACES = 1024 };

static void unlist(dg_hub *hub, dg_socket *s)
{
    hub->due = s->next_due;
    if (hub->due == NULL)
        hub->last_due = NULL;
    hub->due_count--;
    s->next_due = NULL;
    s->listed = 0;
}

static void list(dg_hub *hub, dg_socket *s)
{
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

void dg_tick_due(lua_State *L, int index, dg_socket *s, unsigned due)
{
    if (s->hub->depth == 0 && !s->hub->ticking && !dg_luv_available(L))
        return;
    s->due |= (unsigned char)due;
    if (!s->listed)
        list(s->hub, s);
    if (!s->anchored)
        dg_socket_update(L, index, s);
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

/* Pops the four values of a deferred call into the queue. */
static void defer(lua_State *L)
{
    dg_hub *hub = dg_hub_of(L);
    if (hub->depth == 0 && !hub->ticking && !dg_luv_available(L)) {
        lua_pop(L, EVENT_PLACES); /* without a loop there are no events, and nothing may pile up */
        return;
    }
    push_events(L);
    lua_insert(L, -EVENT_PLACES - 1);
    for (int place = EVENT_PLACES - 1; place >= 0; place--)
        lua_rawseti(L, -2 - place, (int)hub->end_event + place + 1);
    hub->end_event += EVENT_PLACES;
    lua_pop(L, 1);
    wake(L, hub);
}

void dg_tick_emit(lua_State *L, int index, const char *event)
{
    lua_pushvalue(L, dg_absindex(L, index));
    lua_insert(L, -2);
    lua_pushstring(L, event);
    lua_insert(L, -2);
    lua_pushnil(L);
    defer(L);
}

void dg_tick_call(lua_State *L)
{
    lua_pushboolean(L, 0);
    lua_insert(L, -4);
    defer(L);
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

/* Whether an event that was true when it was noted still is. */
static int is_stale(lua_State *L, int index, const char *event)
{
    const dg_socket *s = lua_touserdata(L, index);
    return s->life != DG_OPEN && (strcmp(event, "listening") == 0 || strcmp(event, "connect") == 0);
}

/* `close` comes when the descriptor's number is free, too: after the handles were closed at the end of this dispatch. Inside
 * a nested one that end is far. */
static int is_early(lua_State *L, const dg_hub *hub, int event)
{
    return hub->graves != 0 && hub->depth == 1 && lua_type(L, event) == LUA_TSTRING &&
           strcmp(lua_tostring(L, event), "close") == 0;
}

/* Takes the first deferred call off the queue, then makes it. */
static void run_event(lua_State *L, dg_hub *hub)
{
    int top = lua_gettop(L);
    dg_hub_get(L, DG_STORE_EVENTS);
    int events = lua_gettop(L);
    for (int place = 1; place <= EVENT_PLACES; place++)
        lua_rawgeti(L, events, (int)hub->first_event + place);
    for (int place = 1; place <= EVENT_PLACES; place++) {
        lua_pushnil(L);
        lua_rawseti(L, events, (int)hub->first_event + place);
    }
    hub->first_event += EVENT_PLACES;
    int early = is_early(L, hub, events + 2);
    if (hub->first_event == hub->end_event) {
        if (hub->end_event > KEPT_PLACES && !early) {
            lua_pushnil(L);
            dg_hub_set(L, DG_STORE_EVENTS);
        }
        hub->first_event = hub->end_event = 0;
    }
    if (early) {
        defer(L);
    } else if (lua_isfunction(L, events + 2)) {
        int arguments = lua_isnil(L, events + 4) ? 1 : 2; /* error [, value] */
        lua_settop(L, events + 2 + arguments);
        lua_call(L, arguments, 0);
    } else if (!is_stale(L, events + 1, lua_tostring(L, events + 2))) {
        dg_hub_get(L, DG_STORE_HOOKS);
        lua_getfield(L, -1, "emit");
        lua_insert(L, events + 1);
        int arguments = lua_isnil(L, events + 4) ? 2 : 3; /* socket, event [, argument] */
        lua_settop(L, events + 1 + arguments);
        lua_call(L, arguments, 0);
    }
    lua_settop(L, top);
}

/* One step of what the socket has to do; each bit is cleared before its work, which may raise. */
static void do_step(lua_State *L, int index, dg_socket *s)
{
    unsigned doing = s->doing;
    if (doing & DG_DUE_BIND) {
        s->doing &= (unsigned char)~DG_DUE_BIND;
        int status = s->life == DG_OPEN ? dg_endpoint_bind_any(L, index, s) : 0;
        if (status != 0) {
            dg_error_push_system(L, status, "bind", NULL);
            dg_tick_emit(L, index, "error");
        }
    } else if (doing & DG_DUE_FLUSH) {
        s->doing &= (unsigned char)~DG_DUE_FLUSH;
        dg_outbox_flush(L, index, s);
        s->report_limit = s->queue.to_report;
        if (s->report_limit != 0)
            s->doing |= DG_DUE_REPORT;
    } else if (doing & DG_DUE_RESUME) {
        s->doing &= (unsigned char)~DG_DUE_RESUME;
        dg_receive(L, index, s, 0);
    } else if (doing & DG_DUE_REPORT) {
        dg_outbox_report(L, index, s);
        s->doing &= (unsigned char)~DG_DUE_REPORT;
        if (s->queue.to_report != 0)
            dg_tick_due(L, index, s, DG_DUE_REPORT);
    } else {
        s->doing = 0;
        dg_socket_finish_close(L, index, s);
    }
}

/* Serves the socket that hub->serving names until it has nothing left to do in this round. The dispatched socket, if there
 * is one, is at index 1. */
static void serve(lua_State *L, dg_hub *hub)
{
    dg_socket *s = hub->serving;
    int top = lua_gettop(L), index = 1;
    if (lua_touserdata(L, 1) != s) { /* it is not the one that is being dispatched */
        dg_socket_push(L, s);
        index = top + 1;
    }
    while (s->doing != 0)
        do_step(L, index, s);
    if (hub->serving == s)
        hub->serving = NULL;
    if (s->life == DG_CLOSING)
        dg_socket_finish_close(L, index, s);
    dg_socket_update(L, index, s);
    lua_settop(L, top);
}

void dg_tick_open_round(dg_hub *hub)
{
    hub->turn.opened = 1;
    hub->turn.sockets = hub->due_count;
    hub->turn.events = (unsigned)(hub->end_event - hub->first_event) / EVENT_PLACES;
}

void dg_tick_round(lua_State *L, dg_hub *hub)
{
    if (hub->serving != NULL)
        serve(L, hub);
    while (hub->turn.events != 0 && hub->first_event != hub->end_event) {
        hub->turn.events--;
        run_event(L, hub);
    }
    while (hub->turn.sockets != 0 && hub->due != NULL) {
        dg_socket *s = hub->due;
        hub->turn.sockets--;
        unlist(hub, s);
        s->doing = s->due;
        s->due = 0;
        s->report_limit = s->queue.to_report;
        hub->serving = s;
        serve(L, hub);
    }
}

static int has_work(const dg_hub *hub)
{
    return hub->due != NULL || hub->serving != NULL || hub->first_event != hub->end_event;
}

int dg_tick_unsettled(const dg_hub *hub)
{
    return hub->depth == 0 && (hub->graves != 0 || has_work(hub) || hub->ticking || hub->watched == 0);
}

void dg_tick_resume(lua_State *L, dg_hub *hub)
{
    if (hub->depth == 0 && has_work(hub))
        dg_loop_start_tick(L, hub);
}

void dg_tick_settle(lua_State *L, dg_hub *hub)
{
    if (hub->depth != 0)
        return;
    dg_poll_close_graves(L, hub);
    if (has_work(hub))
        dg_loop_start_tick(L, hub);
    else if (hub->ticking || hub->watched == 0)
        dg_loop_stop_tick(L, hub);
}
