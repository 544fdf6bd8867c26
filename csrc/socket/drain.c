/* SPDX-License-Identifier: MIT */
#include "drain.h"

#include <string.h>

#include "../lua/error.h"
#include "../loop/step_timer.h"
#include "../loop/turn.h"
#include "bind.h"
#include "close.h"
#include "deliver.h"
#include "moderation.h"
#include "ready.h"
#include "receive.h"
#include "report.h"
#include "send_queue.h"
#include "watch.h"
#include "work.h"

/* Returns whether a deferred event is not to be emitted any more, because the socket's state has changed since. */
static int is_stale(lua_State *L, int index, const char *event)
{
    dg_socket *s = lua_touserdata(L, index);
    if (strcmp(event, "drain") == 0)
        return !dg_send_queue_take_drain(s);
    return s->life != DG_OPEN && (strcmp(event, "listening") == 0 || strcmp(event, "connect") == 0);
}

/* `close` waits until the descriptor's number is free, which is after the handles were closed at the end of this
 * dispatch. In a nested dispatch it does not wait, because the outer one may take long to end. It waits for callbacks,
 * too, that were noted behind it: a finalizer has closed the socket inside of a send. */
static int is_early(lua_State *L, const dg_state *state, int event)
{
    const dg_socket *s = lua_touserdata(L, event - 1);
    return lua_type(L, event) == LUA_TSTRING && strcmp(lua_tostring(L, event), "close") == 0 &&
           (s->job.calls != 0 || (state->depth == 1 && dg_watch_is_closing(s)));
}

/* Takes the first deferred call off the queue, then makes it. */
static void run_event(lua_State *L, dg_state *state)
{
    const int top = lua_gettop(L);
    dg_work_take(L, state);
    if (is_early(L, state, top + 2)) {
        dg_work_defer(L);
    } else if (lua_isfunction(L, top + 2)) {
        dg_socket *s = lua_touserdata(L, top + 1);
        int arguments = lua_isnil(L, top + 4) ? 1 : 2; /* error [, value] */
        if (s != NULL)
            s->job.calls--;
        lua_settop(L, top + 2 + arguments);
        lua_call(L, arguments, 0);
    } else if (!is_stale(L, top + 1, lua_tostring(L, top + 2))) {
        dg_registry_get(L, DG_REGISTRY_HOOKS);
        lua_getfield(L, -1, "emit");
        lua_insert(L, top + 1);
        int arguments = lua_isnil(L, top + 4) ? 2 : 3; /* socket, event [, argument] */
        lua_settop(L, top + 1 + arguments);
        lua_call(L, arguments, 0);
    }
    lua_settop(L, top);
}

/* Ends some of the calls of receive that have had their time, or whose socket is closed. Having raised, it goes on
 * behind that call. */
static void end_calls(lua_State *L, int index, dg_socket *s)
{
    dg_registry_get(L, DG_REGISTRY_HOOKS);
    lua_getfield(L, -1, "endCalls");
    lua_pushvalue(L, index);
    lua_call(L, 1, 1);
    int more = lua_toboolean(L, -1);
    lua_pop(L, 2);
    if (more && !dg_turn_look(s->state))
        return;
    s->job.running &= (unsigned char)~DG_WORK_CALLS;
    if (more)
        dg_work_add(L, index, s, DG_WORK_CALLS);
}

/* Does one kind of the socket's running work. Its bit is cleared before, because the work may raise; DG_WORK_RESUME,
 * DG_WORK_REPORT and DG_WORK_CALLS go on where they raised, so theirs are cleared after. */
static void do_step(lua_State *L, int index, dg_socket *s)
{
    unsigned running = s->job.running;
    if (running & DG_WORK_BIND) {
        s->job.running &= (unsigned char)~DG_WORK_BIND;
        int status = s->life == DG_OPEN ? dg_bind_bind_any(L, index, s) : 0;
        if (status != 0) {
            dg_error_push_system(L, status, "bind", NULL);
            dg_work_emit(L, index, "error");
        }
    } else if (running & DG_WORK_READY) {
        s->job.running = (unsigned char)((running & ~(unsigned)DG_WORK_READY) | DG_WORK_RESUME);
        if (s->fd >= 0)
            dg_ready_serve(L, index, s);
    } else if (running & DG_WORK_FLUSH) {
        s->job.running &= (unsigned char)~DG_WORK_FLUSH;
        dg_send_queue_flush(L, index, s);
        s->job.report_limit = dg_report_pending(s);
        if (s->job.report_limit != 0)
            s->job.running |= DG_WORK_REPORT;
    } else if (running & DG_WORK_RESUME) {
        dg_deliver(L, index, s, 0);
        s->job.running &= (unsigned char)~DG_WORK_RESUME;
    } else if (running & DG_WORK_REPORT) {
        dg_report_run(L, index, s);
        s->job.running &= (unsigned char)~DG_WORK_REPORT;
        if (dg_report_pending(s) != 0)
            dg_work_add(L, index, s, DG_WORK_REPORT);
    } else if (running & DG_WORK_CALLS) {
        end_calls(L, index, s);
    } else {
        s->job.running = 0;
        dg_close_finish(L, index, s);
    }
}

/* Does all running work of state->current. The dispatch's socket, if there is one, is at index 1. */
static void serve(lua_State *L, dg_state *state)
{
    dg_socket *s = state->current;
    int top = lua_gettop(L), index = 1;
    if (lua_touserdata(L, 1) != s) {
        dg_socket_push(L, s);
        index = top + 1;
    }
    while (s->job.running != 0)
        do_step(L, index, s);
    if (state->current == s)
        state->current = NULL;
    if (s->life == DG_CLOSING)
        dg_close_finish(L, index, s);
    dg_watch_update(L, index, s);
    lua_settop(L, top);
}

void dg_drain_open(dg_state *state)
{
    state->dispatch.drain_opened = 1;
    state->dispatch.sockets_first = state->sockets_first;
    state->dispatch.sockets = state->pending_count;
    state->dispatch.events = dg_work_deferred(state);
}

/* Flushes the pending sockets, though the turn's time is used up: what listeners and callbacks have sent goes when they
 * are done. The reports wait. */
static void flush_pending(lua_State *L, dg_state *state)
{
    state->to_flush = 0; /* what a flush notes again is for the next dispatch */
    for (unsigned left = state->pending_count; left != 0 && state->first_pending != NULL; left--) {
        dg_socket *s = dg_work_next(state);
        unsigned pending = s->job.pending;
        s->job.pending = pending & DG_WORK_FLUSH
                             ? (unsigned char)((pending & ~(unsigned)DG_WORK_FLUSH) | DG_WORK_REPORT)
                             : (unsigned char)pending;
        dg_work_mark(s, 0);
        if (pending & DG_WORK_FLUSH) {
            dg_socket_push(L, s);
            dg_send_queue_flush(L, lua_gettop(L), s);
            lua_pop(L, 1);
        }
    }
}

static void run_events(lua_State *L, dg_state *state)
{
    while (state->dispatch.events != 0 && dg_work_deferred(state) != 0 && !state->turn.exhausted) {
        state->dispatch.events--;
        run_event(L, state);
        dg_turn_look(state); /* each call may be of another function */
    }
}

static void serve_pending(lua_State *L, dg_state *state)
{
    while (state->dispatch.sockets != 0 && state->first_pending != NULL && !state->turn.exhausted) {
        dg_socket *s = dg_work_next(state);
        state->dispatch.sockets--;
        s->job.running = s->job.pending;
        s->job.pending = 0;
        s->job.report_limit = dg_report_pending(s);
        state->current = s;
        while (state->current != NULL) /* a nested dispatch without memory may have left another socket */
            serve(L, state);
        if (state->first_pending != NULL)
            dg_turn_look(state);
    }
}

/* Deferred calls come before pending sockets. But if they use up a turn, pending sockets come first in the next one;
 * that is noted before the calls, because they may raise. */
static void run_open(lua_State *L, dg_state *state)
{
    if (state->dispatch.sockets_first) {
        state->sockets_first = 0;
        serve_pending(L, state);
        run_events(L, state);
        return;
    }
    state->sockets_first = state->dispatch.sockets != 0;
    run_events(L, state);
    if (state->turn.exhausted)
        return;
    state->sockets_first = 0;
    serve_pending(L, state);
}

void dg_drain_run(lua_State *L, dg_state *state)
{
    if (state->current != NULL)
        serve(L, state);
    if (!state->turn.exhausted)
        run_open(L, state);
    if (state->to_flush)
        flush_pending(L, state);
}

void dg_drain_finish(lua_State *L, dg_state *state)
{
    if (state->depth != 0)
        return;
    dg_watch_close_pending(L, state);
    if (state->watched == 0) {
        dg_moderation_close(L, state);
        dg_step_timer_close(L);
    }
    dg_work_rest(L, state);
}
