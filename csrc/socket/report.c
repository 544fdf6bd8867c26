/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <errno.h>

#include "../lua/error.h"
#include "../loop/turn.h"
#include "lanes.h"
#include "list_callback.h"
#include "send_options.h"
#include "work.h"

void dg_report_push_error(lua_State *L, const dg_socket *s, int error, const dg_address *to, size_t length)
{
    if (error == DG_REFUSED_BY_LIST)
        dg_error_push_blocked(L, to);
    else if (s->family == AF_UNIX && error == -EPIPE) /* Linux says so for a peer that is closing */
        dg_socket_push_send_error(L, s, -ECONNREFUSED, to, length);
    else
        dg_socket_push_send_error(L, s, error, to, length);
}

/* A datagram that is done, copied from its queue: finalizers and callbacks may change the queue while it is
 * reported. */
typedef struct result {
    dg_socket *socket;
    dg_entry entry;
    dg_route route;
} result;

static int make_error(lua_State *L)
{
    const result *r = lua_touserdata(L, 1);
    if (r->route.options.set != 0 && dg_send_options_may_fail(r->entry.error))
        dg_send_options_push_error(L, r->socket, r->entry.error, &r->route);
    else
        dg_report_push_error(L, r->socket, r->entry.error, &r->route.to, r->entry.length);
    return 1;
}

/* Pushes the datagram's error or nil. Without the memory for an error object it pushes Lua's own error. A finalizer
 * that runs meanwhile may close the socket; errors_in_making has `close` wait for this report. */
static void push_error_or_nil(lua_State *L, int index, result *r)
{
    dg_socket *s = r->socket;
    if (r->entry.error == 0) {
        lua_pushnil(L);
        return;
    }
    s->tx.errors_in_making++;
    lua_pushcfunction(L, make_error);
    lua_pushlightuserdata(L, r);
    lua_pcall(L, 1, 1, 0);
    s->tx.errors_in_making--;
    if (s->life == DG_CLOSING)
        dg_work_add(L, index, s, DG_WORK_CLOSE);
}

/* Reports a datagram of a list, whose list callback is on top of the stack; after the last one the callback is called.
 * All allocating comes first: a finalizer may run the loop, which may report others of the list. */
static void report_to_list(lua_State *L, int socket, result *r)
{
    const int index = lua_gettop(L);
    dg_list_callback *list_callback = lua_touserdata(L, index);
    if (r->entry.error != 0) {
        push_error_or_nil(L, socket, r);
        dg_list_callback_fail(L, index);
    }
    list_callback->sent += r->entry.error == 0;
    list_callback->pending--;
    if (dg_list_callback_is_done(list_callback)) {
        dg_list_callback_push_result(L, index);
        lua_call(L, 2, 0);
    }
    lua_settop(L, index - 1);
}

/* Returns whether the datagram was sent, and has a callback of its own. Nearly all reports are such. */
static int is_plain(const dg_entry *entry)
{
    return entry->error == 0 && (entry->tag & (DG_TAG_CALLBACK | DG_TAG_LIST)) == DG_TAG_CALLBACK;
}

static void report_plain(lua_State *L, dg_callback_cursor *cursor, dg_queue *queue, dg_callbacks *callbacks,
                         const dg_entry *entry)
{
    lua_Integer length = (lua_Integer)entry->length;
    uint32_t tag = entry->tag;
    dg_queue_reported(queue);
    dg_callbacks_take(L, callbacks, cursor, tag);
    lua_pushnil(L);
    lua_pushinteger(L, length);
    lua_call(L, 2, 0);
}

/* Takes the first report off the queue; calls the callback, or notes an `error` event. */
static void report(lua_State *L, int index, dg_callback_cursor *cursor, dg_socket *s, dg_queue *queue,
                   dg_callbacks *callbacks, const dg_entry *entry)
{
    result r;
    r.socket = s;
    r.entry = *entry;
    dg_route_copy(&r.route, dg_queue_route(queue, entry));
    dg_queue_reported(queue);
    if (r.entry.tag == DG_TAG_NONE) {
        push_error_or_nil(L, index, &r);
        dg_work_emit(L, index, "error");
        return;
    }
    dg_callbacks_take(L, callbacks, cursor, r.entry.tag);
    if (r.entry.tag & DG_TAG_LIST) {
        report_to_list(L, index, &r);
    } else {
        push_error_or_nil(L, index, &r);
        lua_pushinteger(L, (lua_Integer)r.entry.length);
        lua_call(L, 2, 0);
    }
}

void dg_report_lone_failure(lua_State *L, int index, dg_socket *s)
{
    const dg_entry *entry = s->tx.queue.to_report == 1 ? dg_queue_report(&s->tx.queue) : NULL;
    if (entry != NULL && entry->error != 0 && entry->tag == DG_TAG_NONE)
        report(L, index, NULL, s, &s->tx.queue, &s->tx.callbacks, entry);
}

static int may_report(const dg_socket *s)
{
    return s->job.report_limit != 0 && !s->state->turn.exhausted;
}

static void report_queue(lua_State *L, int index, dg_socket *s)
{
    const dg_entry *entry;
    dg_callback_cursor cursor = dg_callbacks_begin(L, &s->tx.callbacks, index);
    while (may_report(s) && s->tx.queue.to_report != 0 && (entry = dg_queue_report(&s->tx.queue)) != NULL) {
        s->job.report_limit--;
        if (is_plain(entry))
            report_plain(L, &cursor, &s->tx.queue, &s->tx.callbacks, entry);
        else
            report(L, index, &cursor, s, &s->tx.queue, &s->tx.callbacks, entry);
        dg_turn_called(s->state);
    }
    lua_settop(L, cursor.slots - 1);
}

/* Reports one datagram of a lane. The call may run the loop, which may free the lane. */
static void report_lane(lua_State *L, int index, dg_socket *s, dg_lane *lane)
{
    dg_callback_cursor cursor = dg_callbacks_begin(L, &lane->callbacks, index);
    s->job.report_limit--;
    report(L, index, &cursor, s, &lane->queue, &lane->callbacks, dg_queue_report(&lane->queue));
    dg_turn_called(s->state);
    lua_settop(L, cursor.slots - 1);
}

size_t dg_report_pending(const dg_socket *s)
{
    size_t pending = s->tx.queue.to_report;
    for (const dg_lane *lane = s->tx.lanes; lane != NULL; lane = lane->next)
        pending += lane->queue.to_report;
    return pending;
}

void dg_report_run(lua_State *L, int index, dg_socket *s)
{
    dg_lane *lane;
    index = dg_absindex(L, index);
    dg_turn_others(s->state);
    if (s->tx.queue.to_report != 0)
        report_queue(L, index, s);
    if (s->tx.lanes == NULL)
        return;
    while (may_report(s) && (lane = dg_lanes_reporting(s)) != NULL)
        report_lane(L, index, s, lane);
    dg_lanes_sweep(L, index, s);
}
