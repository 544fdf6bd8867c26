/* SPDX-License-Identifier: MIT */
#include "round.h"

#include <string.h>

#include "endpoint.h"
#include "error.h"
#include "life.h"
#include "moderation.h"
#include "outbox.h"
#include "poll.h"
#include "ready.h"
#include "receive.h"
#include "report.h"
#include "tick.h"
#include "turn.h"

/* Looks again at an event that was true when it was noted, and takes it: whether it is not to be told any more. */
static int is_stale(lua_State *L, int index, const char *event)
{
    dg_socket *s = lua_touserdata(L, index);
    if (strcmp(event, "drain") == 0)
        return !dg_outbox_take_drain(s);
    return s->life != DG_OPEN && (strcmp(event, "listening") == 0 || strcmp(event, "connect") == 0);
}

/* `close` comes when the descriptor's number is free, too: after the handles were closed at the end of this dispatch.
 * Inside a nested one that end is far. */
static int is_early(lua_State *L, const dg_hub *hub, int event)
{
    const dg_socket *s = lua_touserdata(L, event - 1);
    return hub->depth == 1 && lua_type(L, event) == LUA_TSTRING && strcmp(lua_tostring(L, event), "close") == 0 &&
           dg_poll_is_buried(s);
}

/* Takes the first deferred call off the queue, then makes it. */
static void run_event(lua_State *L, dg_hub *hub)
{
    const int top = lua_gettop(L);
    dg_tick_take(L, hub);
    if (is_early(L, hub, top + 2)) {
        dg_tick_defer(L);
    } else if (lua_isfunction(L, top + 2)) {
        int arguments = lua_isnil(L, top + 4) ? 1 : 2; /* error [, value] */
        lua_settop(L, top + 2 + arguments);
        lua_call(L, arguments, 0);
    } else if (!is_stale(L, top + 1, lua_tostring(L, top + 2))) {
        dg_hub_get(L, DG_STORE_HOOKS);
        lua_getfield(L, -1, "emit");
        lua_insert(L, top + 1);
        int arguments = lua_isnil(L, top + 4) ? 2 : 3; /* socket, event [, argument] */
        lua_settop(L, top + 1 + arguments);
        lua_call(L, arguments, 0);
    }
    lua_settop(L, top);
}

/* One step of what the socket has to do. Each bit is cleared before its work, which may raise, but where the work is in
 * parts, and goes on when it is entered again. */
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
    } else if (doing & DG_DUE_READY) {
        s->doing = (unsigned char)((doing & ~(unsigned)DG_DUE_READY) | DG_DUE_RESUME);
        if (s->fd >= 0)
            dg_ready_serve(L, index, s);
    } else if (doing & DG_DUE_FLUSH) {
        s->doing &= (unsigned char)~DG_DUE_FLUSH;
        dg_outbox_flush(L, index, s);
        s->report_limit = dg_report_pending(s);
        if (s->report_limit != 0)
            s->doing |= DG_DUE_REPORT;
    } else if (doing & DG_DUE_RESUME) {
        dg_receive(L, index, s, 0); /* having raised it goes on behind that datagram */
        s->doing &= (unsigned char)~DG_DUE_RESUME;
    } else if (doing & DG_DUE_REPORT) {
        dg_report_run(L, index, s);
        s->doing &= (unsigned char)~DG_DUE_REPORT;
        if (dg_report_pending(s) != 0)
            dg_tick_due(L, index, s, DG_DUE_REPORT);
    } else {
        s->doing = 0;
        dg_life_finish_close(L, index, s);
    }
}

/* Serves the socket that hub->serving names until it has nothing left to do in this round. The dispatched socket, if
 * there is one, is at index 1. */
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
        dg_life_finish_close(L, index, s);
    dg_poll_update(L, index, s);
    lua_settop(L, top);
}

void dg_round_open(dg_hub *hub)
{
    hub->dispatch.opened = 1;
    hub->dispatch.sockets_first = hub->sockets_first;
    hub->dispatch.sockets = hub->due_count;
    hub->dispatch.events = dg_tick_deferred(hub);
}

/* What listeners and callbacks have sent goes when they are done, though no user code may run any more. */
static void flush_due(lua_State *L, dg_hub *hub)
{
    for (unsigned left = hub->due_count; left != 0 && hub->due != NULL; left--) {
        dg_socket *s = dg_tick_next(hub);
        unsigned due = s->due;
        s->due =
            due & DG_DUE_FLUSH ? (unsigned char)((due & ~(unsigned)DG_DUE_FLUSH) | DG_DUE_REPORT) : (unsigned char)due;
        dg_tick_note(s, 0);
        if (due & DG_DUE_FLUSH) {
            dg_socket_push(L, s);
            dg_outbox_flush(L, lua_gettop(L), s);
            lua_pop(L, 1);
        }
    }
}

static void run_events(lua_State *L, dg_hub *hub)
{
    while (hub->dispatch.events != 0 && dg_tick_deferred(hub) != 0 && !hub->turn.exhausted) {
        hub->dispatch.events--;
        run_event(L, hub);
        dg_turn_look(hub); /* each may be another one */
    }
}

static void serve_due(lua_State *L, dg_hub *hub)
{
    while (hub->dispatch.sockets != 0 && hub->due != NULL && !hub->turn.exhausted) {
        dg_socket *s = dg_tick_next(hub);
        hub->dispatch.sockets--;
        s->doing = s->due;
        s->due = 0;
        s->report_limit = dg_report_pending(s);
        hub->serving = s;
        while (hub->serving != NULL) /* a nested dispatch without memory has left another one */
            serve(L, hub);
        if (hub->due != NULL)
            dg_turn_look(hub);
    }
}

/* Deferred calls come before due sockets; but where they used up a turn, these are first in the next one. That is noted
 * before the calls, which may raise. */
static void run_open(lua_State *L, dg_hub *hub)
{
    if (hub->dispatch.sockets_first) {
        hub->sockets_first = 0;
        serve_due(L, hub);
        run_events(L, hub);
        return;
    }
    hub->sockets_first = hub->dispatch.sockets != 0;
    run_events(L, hub);
    if (hub->turn.exhausted)
        return;
    hub->sockets_first = 0;
    serve_due(L, hub);
}

void dg_round_run(lua_State *L, dg_hub *hub)
{
    if (hub->serving != NULL)
        serve(L, hub);
    if (!hub->turn.exhausted)
        run_open(L, hub);
    if (hub->due != NULL)
        flush_due(L, hub);
}

void dg_round_settle(lua_State *L, dg_hub *hub)
{
    if (hub->depth != 0)
        return;
    dg_poll_close_graves(L, hub);
    if (hub->watched == 0)
        dg_moderation_close(L, hub);
    dg_tick_rest(L, hub);
}
