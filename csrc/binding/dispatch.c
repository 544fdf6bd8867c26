/* SPDX-License-Identifier: MIT */
#include "dispatch.h"

#include "error.h"
#include "loop.h"
#include "luv.h"
#include "moderation.h"
#include "outbox.h"
#include "poll.h"
#include "ready.h"
#include "receive.h"
#include "round.h"
#include "tick.h"
#include "turn.h"
#include "uncaught.h"

static void run_round(lua_State *L, dg_hub *hub)
{
    if (!hub->dispatch.opened)
        dg_round_open(hub);
    dg_round_run(L, hub);
}

/* The work of a dispatch, under its protected call. Arguments: the socket, or nil for the tick; the hub. Entered again
 * after an error, it goes on behind what raised. */
static int body(lua_State *L)
{
    dg_socket *s = lua_touserdata(L, 1);
    dg_hub *hub = lua_touserdata(L, 2);
    hub->dispatch.entered = 1;
    if (dg_tick_deferred(hub) != 0) /* `listening` comes before what was received behind it */
        run_round(L, hub);
    if (s != NULL && s->fd >= 0) {
        dg_ready_serve(L, 1, s);
        if (dg_queue_count(&s->queue) != 0)
            dg_outbox_flush_now(L, 1, s);
    }
    if (hub->dispatch.opened || dg_tick_has_work(hub)) /* a lone datagram and its answer leave none */
        run_round(L, hub);
    return 0;
}

/* Runs the body for the socket, which is at `index`, or for the tick (NULL); again after each error. Without memory, or
 * where the C stack has no room for the body, it stops: what is left is still noted, and the next dispatch goes on. */
static void run_body(lua_State *L, dg_hub *hub, dg_socket *s, int index)
{
    const dg_dispatch outer = hub->dispatch;
    dg_turn turn;
    int status;
    dg_turn_enter(hub, &turn);
    hub->dispatch.socket = s;
    hub->dispatch.opened = 0;
    hub->depth++;
    lua_pushvalue(L, DG_UP_MESSAGE_HANDLER);
    int handler = lua_gettop(L);
    do {
        hub->dispatch.entered = 0;
        lua_pushvalue(L, DG_UP_BODY);
        if (s != NULL)
            lua_pushvalue(L, index);
        else
            lua_pushnil(L);
        lua_pushlightuserdata(L, hub);
        status = lua_pcall(L, 2, 0, handler);
        if (status != 0) {
            dg_uncaught_take(L, hub);
            dg_turn_look(hub);
        }
    } while (status != 0 && status != LUA_ERRMEM && hub->dispatch.entered);
    if (status != 0 && s != NULL)
        dg_ready_note_left(s);
    lua_pop(L, 1);
    hub->depth--;
    hub->dispatch = outer;
    dg_turn_leave(hub, &turn);
}

static int settle(lua_State *L)
{
    dg_round_settle(L, dg_hub_of(L));
    return 0;
}

static int start_tick(lua_State *L)
{
    dg_loop_start_tick(L, dg_hub_of(L));
    return 0;
}

static int stop_tick(lua_State *L)
{
    dg_loop_stop_tick(L, dg_hub_of(L));
    return 0;
}

static void protect(lua_State *L, dg_hub *hub, lua_CFunction function)
{
    lua_pushcfunction(L, function);
    if (lua_pcall(L, 0, 0, 0) != 0) { /* no memory to start the tick: dgram.run tries again */
        lua_pop(L, 1);
        hub->lost++;
    }
}

/* Where the dispatch came from. libuv calls timers once more at the end of uv_run "once", behind the place where it ends
 * closed handles: none may be closed there, as the state may end before the loop runs again. */
enum origin { FROM_POLL, FROM_TIMER };

/* Whether the tick is to run, where it is not for dg_round_settle to say. */
static int needs_tick(const dg_hub *hub)
{
    return dg_tick_has_work(hub) || dg_turn_must_end(hub) || (hub->depth == 0 && hub->graves != 0);
}

/* The way out of a dispatch. Inside of a listener, in a nested loop, only the tick is started for what is left, and
 * stopped where nothing is: it would have that loop spin. */
static int leave(lua_State *L, dg_hub *hub, enum origin origin)
{
    if (origin == FROM_POLL && dg_round_unsettled(hub))
        protect(L, hub, settle);
    else if (!hub->ticking && needs_tick(hub))
        protect(L, hub, start_tick);
    else if (hub->ticking && hub->depth != 0 && origin == FROM_POLL && !needs_tick(hub))
        protect(L, hub, stop_tick);
    return hub->uncaught != 0 || hub->lost != 0 ? dg_uncaught_raise(L, hub) : 0;
}

/* luv names what came by letters: r, w, d, p. It is "r" nearly always. */
static unsigned events_of(const char *events)
{
    unsigned happened = 0;
    if (events != NULL && events[0] == 'r' && events[1] == '\0')
        return DG_READABLE;
    for (; events != NULL && *events != '\0'; events++)
        happened |= *events == 'r' ? DG_READABLE : *events == 'w' ? DG_WRITABLE : *events == 'p' ? DG_ERROR : 0U;
    return happened;
}

/* What luv's poll callback was told: error, events. */
static unsigned told(lua_State *L)
{
    return lua_type(L, 1) == LUA_TSTRING ? (unsigned)DG_STOPPED : events_of(lua_tostring(L, 2));
}

static void dispatch(lua_State *L, dg_socket *s, int index, unsigned happened)
{
    s->happened |= (unsigned char)happened;
    run_body(L, s->hub, s, index);
}

/* luv's callback for the poll of a socket that is read or written. */
static int on_poll(lua_State *L)
{
    dg_socket *s = lua_touserdata(L, DG_UP_SOCKET);
    dispatch(L, s, DG_UP_SOCKET, told(L));
    if (s->interval != 0 && s->hub->depth == 0)
        dg_moderation_woken(L, DG_UP_SOCKET, s);
    return leave(L, s->hub, FROM_POLL);
}

/* luv's callback for the alarm of moderated sockets. */
static int on_alarm(lua_State *L)
{
    dg_hub *hub = dg_hub_of(L);
    int top = lua_gettop(L);
    for (unsigned left = dg_moderation_rung(L, hub); left != 0; left--) {
        dg_socket *s = dg_moderation_next(hub);
        if (s == NULL)
            break;
        dg_socket_push(L, s);
        if (lua_isnil(L, -1)) {
            dg_moderation_forget(s); /* it is being collected */
        } else {
            dispatch(L, s, top + 1, DG_READABLE);
            dg_moderation_judge(L, top + 1, s);
        }
        lua_settop(L, top);
    }
    return leave(L, hub, FROM_POLL);
}

/* Pushes a socket that may be gone: one that is being collected is nowhere to be found (NULL, nil). */
static dg_socket *push_if_there(lua_State *L)
{
    dg_hub_get(L, DG_STORE_SOCKETS);
    dg_rawgetp(L, -1, lua_touserdata(L, DG_UP_SOCKET));
    return lua_touserdata(L, -1);
}

/* luv's callback for a poll that only keeps the loop alive. */
static int on_alive(lua_State *L)
{
    const unsigned happened = told(L);
    dg_socket *s = push_if_there(L);
    if (s == NULL)
        return 0;
    dispatch(L, s, lua_gettop(L), happened);
    return leave(L, s->hub, FROM_POLL);
}

/* luv's callback for a socket's timer. The work is the tick's, which comes next: its user code belongs to that turn. */
static int on_retry(lua_State *L)
{
    dg_socket *s = push_if_there(L);
    if (s == NULL)
        return 0;
    s->happened |= DG_RETRY;
    dg_ready_note_left(s);
    return leave(L, s->hub, FROM_TIMER);
}

static int on_tick(lua_State *L)
{
    dg_hub *hub = dg_hub_of(L);
    dg_turn_next(hub);
    run_body(L, hub, NULL, 0);
    return leave(L, hub, FROM_POLL);
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

/* luv has answered what is at the index: nil and why it runs nothing, or whether something is left to do. */
static void check_refused(lua_State *L, int answer)
{
    if (lua_isnil(L, answer) && lua_type(L, answer + 1) == LUA_TSTRING)
        dg_error_raise(L, "Error", "ERR_INVALID_STATE", "Invalid state: luv does not run the loop: %s",
                       lua_tostring(L, answer + 1));
}

int dg_dispatch_run(lua_State *L)
{
    check_mode(L);
    dg_luv_need(L, "dgram.run");
    dg_hub *hub = dg_hub_of(L);
    lua_settop(L, 1);
    dg_tick_resume(L, hub);
    dg_luv_push(L, "run");
    int arguments = !lua_isnil(L, 1);
    if (arguments)
        lua_pushvalue(L, 1);
    hub->running++;
    int status = lua_pcall(L, arguments, 2, 0);
    hub->running--;
    if (status == 0)
        check_refused(L, lua_gettop(L) - 1);
    if (dg_uncaught_push(L) || status != 0)
        return lua_error(L);
    lua_pop(L, 1);
    return 1;
}

void dg_dispatch_open(lua_State *L)
{
    dg_hub *hub = dg_hub_of(L);
    hub->on_poll = on_poll;
    hub->on_alive = on_alive;
    hub->on_retry = on_retry;
    hub->on_tick = on_tick;
    hub->on_alarm = on_alarm;
}

void dg_dispatch_configure(lua_State *L)
{
    dg_receive_push_upvalues(L);
    lua_pushcclosure(L, body, DG_RECEIVE_UPVALUES);
    dg_hub_set(L, DG_STORE_BODY);
    /* Made here, because it is needed where a finalizer that ran would undo what is being noted. */
    lua_pushnil(L);
    dg_hub_push_callback(L, dg_hub_of(L)->on_tick);
    dg_hub_set(L, DG_STORE_TICK);
}
