/* SPDX-License-Identifier: MIT */
#include "dispatch.h"

#include "../lua/error.h"
#include "../loop/due.h"
#include "../loop/idle.h"
#include "../loop/luv.h"
#include "../loop/turn.h"
#include "../loop/uncaught.h"
#include "busy_poll.h"
#include "drain.h"
#include "moderation.h"
#include "owed.h"
#include "ready.h"
#include "receive.h"
#include "send_queue.h"
#include "take.h"
#include "watch.h"
#include "work.h"

static void drain_work(lua_State *L, dg_state *state)
{
    if (!state->dispatch.drain_opened)
        dg_drain_open(state);
    dg_drain_run(L, state);
}

/* Serves the socket, which is at index 1, or NULL, then deferred work. */
static inline void serve(lua_State *L, dg_state *state, dg_socket *s)
{
    if (s != NULL && s->fd >= 0) {
        dg_ready_serve(L, 1, s);
        if (dg_send_queue_has_results(s) || dg_queue_count(&s->tx.queue) != 0)
            dg_send_queue_flush_now(L, 1, s);
        state->dispatch.socket = NULL; /* what callbacks send from now on has to note its flush */
    }
    if (state->dispatch.drain_opened || dg_work_has_work(state)) /* a lone datagram and its answer make no work */
        drain_work(L, state);
}

/* The body of a dispatch, which runs in its protected call. Argument: the socket, or nil for the idle callback. After
 * an error it is called again, and goes on behind the call that raised. */
static int body(lua_State *L)
{
    dg_socket *s = lua_touserdata(L, 1);
    dg_state *state = s != NULL ? s->state : dg_state_of(L);
    state->dispatch.entered = 1;
    if (!state->dispatch.begun) { /* deferred work is older than what is received now */
        state->dispatch.begun = 1;
        if (dg_work_has_work(state))
            drain_work(L, state);
    }
    serve(L, state, s);
    while (s != NULL && s->rx.busy_poll != 0 && dg_busy_poll_wait(L, s)) {
        state->dispatch.socket = s;
        state->dispatch.drain_opened = 0;
        serve(L, state, s);
    }
    return 0;
}

/* A listener runs the loop. What it has sent before must not wait for its return: returns the socket whose queue that
 * is, or NULL. What it sends from now on notes its flush by itself. */
static dg_socket *release_outer(dg_state *state)
{
    dg_socket *s = state->dispatch.socket;
    state->dispatch.socket = NULL;
    return s != NULL && (dg_queue_count(&s->tx.queue) != 0 || dg_send_queue_has_results(s)) ? s : NULL;
}

/* Runs the body for the socket, which is at `index`, or for the idle callback (NULL), and again after each error. It
 * gives up without memory, or where the C stack has no room for the body: the rest is still noted, and the next
 * dispatch goes on. Leaves the message handler on the stack. */
static void run_body(lua_State *L, dg_state *state, dg_socket *s, int index)
{
    dg_socket *around = release_outer(state);
    if (around != NULL && around->kept_alive) /* else its own dispatch flushes it, in the end */
        dg_work_mark(around, DG_WORK_FLUSH);
    const dg_dispatch outer = state->dispatch;
    dg_turn turn;
    int status;
    dg_turn_enter(state, &turn);
    state->dispatch.socket = s;
    state->dispatch.begun = state->dispatch.drain_opened = 0;
    state->depth++;
    dg_uncaught_push_handler(L);
    do {
        state->dispatch.entered = 0;
        lua_pushvalue(L, DG_UP_BODY);
        if (s != NULL)
            lua_pushvalue(L, index);
        else
            lua_pushnil(L);
        status = lua_pcall(L, 1, 0, -3); /* the handler is below the body and its argument */
        if (status != 0) {
            dg_uncaught_take(L, state);
            dg_turn_look(state);
        }
    } while (status != 0 && status != LUA_ERRMEM && state->dispatch.entered);
    if (status != 0 && s != NULL)
        dg_ready_note_left(s);
    state->depth--;
    state->dispatch = outer;
    dg_turn_leave(state, &turn);
}

static int finish_drain(lua_State *L)
{
    dg_drain_finish(L, lua_touserdata(L, 1));
    return 0;
}

static int start_idle_handle(lua_State *L)
{
    dg_idle_start(L, lua_touserdata(L, 1));
    return 0;
}

static int stop_idle_handle(lua_State *L)
{
    dg_idle_stop(L, lua_touserdata(L, 1));
    return 0;
}

/* The function's argument is the state. */
static void run_protected(lua_State *L, dg_state *state, lua_CFunction function)
{
    lua_pushcfunction(L, function);
    lua_pushlightuserdata(L, state);
    if (lua_pcall(L, 1, 0, 0) != 0) { /* there was no memory to start the idle handle: dgram.run tries again */
        lua_pop(L, 1);
        state->dropped_errors++;
    }
}

/* Which callback of luv's it is. At the end of uv_run "once" libuv calls timers once more, after it has finished closed
 * handles. No handle may be closed there: the state may end before the loop runs again (watch.h). */
enum origin { FROM_POLL, FROM_TIMER };

/* Returns whether the idle handle is needed, where dg_drain_finish does not run. */
static int needs_idle(const dg_state *state)
{
    return dg_work_has_work(state) || dg_turn_must_end(state) || (state->depth == 0 && state->pending_closes != 0);
}

/* The way out of a dispatch. Inside of a listener, in a nested loop, it only starts the idle handle if work is left,
 * and stops it if none is: an idle handle without work would make that loop spin. */
static int leave(lua_State *L, dg_state *state, enum origin origin)
{
    if (origin == FROM_POLL && state->depth == 0) {
        if (dg_drain_unfinished(state))
            run_protected(L, state, finish_drain);
    } else if (!state->idle_running && needs_idle(state)) {
        run_protected(L, state, start_idle_handle);
    } else if (state->idle_running && origin == FROM_POLL && !needs_idle(state)) {
        run_protected(L, state, stop_idle_handle);
    }
    return state->uncaught != 0 || state->dropped_errors != 0 ? dg_uncaught_raise(L, state) : 0;
}

/* Returns the set of dg_ready_event that luv's arguments of a poll callback stand for: an error, and event letters (r,
 * w, d, p). They are nearly always nil and "r". libuv tells of no event beside an error. */
static unsigned poll_status(lua_State *L)
{
    const char *events = lua_tostring(L, 2);
    if (events != NULL && events[0] == 'r' && events[1] == '\0')
        return DG_READABLE;
    if (lua_type(L, 1) == LUA_TSTRING)
        return DG_STOPPED;
    unsigned ready_events = 0;
    for (; events != NULL && *events != '\0'; events++)
        ready_events |= *events == 'r' ? DG_READABLE : *events == 'w' ? DG_WRITABLE : *events == 'p' ? DG_ERROR : 0U;
    return ready_events;
}

static void dispatch(lua_State *L, dg_socket *s, int index, unsigned ready_events)
{
    dg_ready_add(s, ready_events);
    run_body(L, s->state, s, index);
}

/* luv's callback for the poll of a socket that is kept alive. */
static int on_poll(lua_State *L)
{
    dg_socket *s = lua_touserdata(L, DG_UP_SOCKET);
    dispatch(L, s, DG_UP_SOCKET, poll_status(L));
    if (s->rx.interval != 0 && s->state->depth == 0)
        dg_moderation_woken(L, DG_UP_SOCKET, s);
    return leave(L, s->state, FROM_POLL);
}

/* luv's callback for the timer of moderated sockets. */
static int on_timer(lua_State *L)
{
    dg_state *state = dg_state_of(L);
    int top = lua_gettop(L);
    for (unsigned left = dg_moderation_fired(L, state); left != 0; left--) {
        dg_socket *s = dg_moderation_next(state);
        if (s == NULL)
            break;
        dg_socket_push(L, s);
        if (lua_isnil(L, -1)) {
            dg_moderation_forget(s); /* the socket is being collected */
        } else {
            dispatch(L, s, top + 1, DG_READABLE);
            dg_moderation_review(L, top + 1, s);
        }
        lua_settop(L, top);
    }
    return leave(L, state, FROM_POLL);
}

/* Pushes and returns the socket that the callback's light userdata stands for; nil and NULL if it has been
 * collected. */
static dg_socket *push_if_there(lua_State *L)
{
    dg_registry_get(L, DG_REGISTRY_SOCKETS);
    dg_rawgetp(L, -1, lua_touserdata(L, DG_UP_SOCKET));
    return lua_touserdata(L, -1);
}

/* luv's callback for a poll that only keeps the loop alive: its socket may have been collected. */
static int on_alive(lua_State *L)
{
    const unsigned ready_events = poll_status(L);
    dg_socket *s = push_if_there(L);
    if (s == NULL)
        return 0;
    dispatch(L, s, lua_gettop(L), ready_events);
    return leave(L, s->state, FROM_POLL);
}

/* luv's callback for a socket's retry timer. It notes the work for the idle callback, which comes next, so that user
 * code runs on that turn's budget. */
static int on_retry(lua_State *L)
{
    dg_socket *s = push_if_there(L);
    if (s == NULL)
        return 0;
    dg_ready_add(s, DG_RETRY);
    dg_ready_note_left(s);
    return leave(L, s->state, FROM_TIMER);
}

/* luv's callback for the timer of calls that wait for a datagram: likewise. */
static int on_deadline(lua_State *L)
{
    dg_socket *s = push_if_there(L);
    if (s == NULL)
        return 0;
    if (s->kept_alive) /* its wait would not have a timer else */
        dg_work_mark(s, DG_WORK_CALLS);
    return leave(L, s->state, FROM_TIMER);
}

/* luv's callback for the idle handle: a turn begins. */
static int on_idle(lua_State *L)
{
    dg_state *state = dg_state_of(L);
    dg_turn_next(state);
    run_body(L, state, NULL, 0);
    return leave(L, state, FROM_POLL);
}

/* Argument: the mode, or nil. */
static void check_mode(lua_State *L)
{
    static const char *const modes[] = {"default", "once", "nowait"};
    dg_error_surplus_function(L, 1);
    if (lua_isnoneornil(L, 1))
        return;
    if (lua_type(L, 1) != LUA_TSTRING)
        dg_error_arg_type(L, 1, "mode", "a string");
    for (int i = 0; i < 3; i++) {
        lua_pushstring(L, modes[i]);
        if (lua_rawequal(L, 1, -1))
            return;
    }
    dg_error_raise(L, "TypeError", "ERR_INVALID_ARG_VALUE",
                   "The \"mode\" argument must be \"default\", \"once\" or \"nowait\". Received %s",
                   dg_error_received(L, 1));
}

/* The results of uv.run are at the index: nil and a message where luv refuses a nested run, else a boolean. */
static void check_refused(lua_State *L, int answer)
{
    if (lua_isnil(L, answer) && lua_type(L, answer + 1) == LUA_TSTRING)
        dg_error_raise(L, "Error", "ERR_INVALID_STATE", "Invalid state: luv does not run the loop: %s",
                       lua_tostring(L, answer + 1));
}

/* Neovim's loop never ends, so a run to its end would not return. */
static void check_host(lua_State *L)
{
    if ((lua_isnoneornil(L, 1) || strcmp(lua_tostring(L, 1), "default") == 0) && dg_luv_is_neovims(L))
        dg_error_raise(L, "Error", "ERR_INVALID_STATE",
                       "Invalid state: Neovim runs the loop already, and dgram.run would never return. Leave it out: "
                       "callbacks come by themselves; vim.wait(1000, function() return done end, 5) waits for them");
}

int dg_dispatch_run(lua_State *L)
{
    check_mode(L);
    dg_luv_need(L, "dgram.run");
    check_host(L);
    dg_state *state = dg_state_of(L);
    if (state->telling != 0)
        dg_error_raise(L, "Error", "ERR_INVALID_STATE",
                       "Invalid state: the function of dgram.onDue must not run the loop, but wake who does");
    lua_settop(L, 1);
    dg_socket *around = release_outer(state);
    if (around != NULL) {
        dg_socket_push(L, around);
        dg_work_add(L, 2, around, DG_WORK_FLUSH);
        lua_settop(L, 1);
    }
    dg_work_resume(L, state);
    dg_due_forget(state);
    dg_luv_push(L, "run");
    int arguments = !lua_isnil(L, 1);
    if (arguments)
        lua_pushvalue(L, 1);
    state->running++;
    int status = lua_pcall(L, arguments, 2, 0);
    state->running--;
    if (status == 0)
        check_refused(L, lua_gettop(L) - 1);
    if (dg_uncaught_push(L) || status != 0)
        return lua_error(L);
    lua_pop(L, 1);
    return 1;
}

void dg_dispatch_open(lua_State *L)
{
    dg_state *state = dg_state_of(L);
    state->on_poll = on_poll;
    state->on_alive = on_alive;
    state->on_retry = on_retry;
    state->on_deadline = on_deadline;
    state->on_idle = on_idle;
    state->on_timer = on_timer;
    state->on_loop = dg_owed_note;
}

void dg_dispatch_configure(lua_State *L)
{
    dg_receive_push_upvalues(L);
    lua_pushcclosure(L, body, DG_RECEIVE_UPVALUES);
    dg_registry_set(L, DG_REGISTRY_BODY);
    dg_take_configure(L);
    /* This callback is made once, here, so that starting the idle handle allocates less. */
    lua_pushnil(L);
    dg_state_push_callback(L, dg_state_of(L)->on_idle);
    dg_registry_set(L, DG_REGISTRY_ON_IDLE);
}
