/* SPDX-License-Identifier: MIT */
#include "dispatch.h"

#include <errno.h>

#include "../net/descriptor.h"
#include "error.h"
#include "follow.h"
#include "luv.h"
#include "moderation.h"
#include "poll.h"
#include "receive.h"
#include "round.h"
#include "tick.h"
#include "uncaught.h"

enum { MOST_HOPS = 16 }; /* sockets that follow each other before other handles of the loop have their turn */

/* An error waits on the descriptor: an ICMP message's, most likely. */
static void report_pending_error(lua_State *L, dg_socket *s)
{
    int error = dg_descriptor_take_error(s->fd);
    if (error == 0)
        return;
    if (error == -EBADF || error == -ENOTSOCK) /* somebody closed it behind our back: watching it would spin */
        s->paused = s->lost = 1;
    dg_socket_push_error(L, s, error, "recvmsg", NULL);
    dg_tick_emit(L, 1, "error");
}

/* Takes note of what luv tells of once: that the poll stopped (libuv stops one that has an error), that the timer ran
 * out. Returns whether the queue may go on. */
static int take_ends(dg_socket *s, unsigned happened)
{
    if (happened & DG_STOPPED)
        dg_poll_stopped(s);
    if (!(happened & DG_RETRY))
        return 0;
    s->resting = 0;
    if (s->blocked != DG_BLOCKED_TIMER)
        return 0;
    s->blocked = DG_NOT_BLOCKED;
    return 1;
}

/* What luv told of the socket; each thing is forgotten before it is looked at, because that may raise. */
DG_COLD static void look_at(lua_State *L, dg_socket *s)
{
    unsigned happened = s->happened;
    s->happened &= DG_READABLE;
    if (s->anchored && (happened & (DG_STOPPED | DG_RETRY))) /* told of only once, and what follows may raise */
        dg_tick_note(s, DG_DUE_RESUME);
    int goes_on = take_ends(s, happened);
    if ((happened & DG_WRITABLE) && s->blocked == DG_BLOCKED_POLL) {
        s->blocked = DG_NOT_BLOCKED;
        goes_on = 1;
    }
    if (goes_on)
        dg_tick_due(L, 1, s, DG_DUE_FLUSH);
    if (happened & (DG_ERROR | DG_STOPPED))
        report_pending_error(L, s);
    int in_vain = (happened & DG_WRITABLE) && s->blocked == DG_NOT_BLOCKED && !(s->due & DG_DUE_FLUSH);
    if ((happened & (DG_ERROR | DG_STOPPED | DG_RETRY)) || in_vain)
        dg_poll_update(L, 1, s);
}

/* The work of a dispatch, under its protected call. Arguments: the socket, or nil for the tick; the hub. Entered again
 * after an error, it goes on behind what raised. */
DG_HOT static int body(lua_State *L)
{
    dg_socket *s = lua_touserdata(L, 1);
    dg_hub *hub = lua_touserdata(L, 2);
    hub->turn.entered = 1;
    if (s != NULL && s->fd >= 0) {
        if (s->happened & ~(unsigned)DG_READABLE)
            look_at(L, s);
        int readable = (s->happened & DG_READABLE) != 0;
        s->happened = 0;
        if (readable || dg_receive_pending(s))
            dg_receive(L, 1, s, readable);
        if (readable && !dg_socket_takes_messages(s)) /* what should have stopped the poll failed, perhaps */
            dg_poll_update(L, 1, s);
    }
    if (hub->turn.opened || dg_tick_has_work(hub)) { /* a lone datagram and its answer leave none */
        if (!hub->turn.opened)
            dg_round_open(hub);
        dg_round_run(L, hub);
    }
    return 0;
}

/* There was no memory to look at a socket: what nobody will tell of again is noted for the next round. */
DG_COLD static void note_what_is_left(dg_socket *s)
{
    take_ends(s, s->happened);
    if (s->anchored && (s->happened & (DG_STOPPED | DG_RETRY)))
        dg_tick_note(s, DG_DUE_FLUSH | DG_DUE_RESUME);
    else if (dg_receive_pending(s) || s->ahead != 0)
        dg_tick_note(s, DG_DUE_RESUME);
    s->happened &= (unsigned char)~(DG_STOPPED | DG_RETRY);
}

/* Runs the body for the socket, which is at `index`, or for the tick (NULL); again after each error. Without memory, or
 * where the C stack has no room for the body, it stops: what is left is still noted, and the next dispatch goes on. */
DG_HOT static void run_body(lua_State *L, dg_hub *hub, dg_socket *s, int index)
{
    dg_turn outer = hub->turn;
    int status;
    hub->turn.opened = 0;
    hub->turn.budget = DG_RECEIVE_BUDGET;
    hub->depth++;
    hub->dispatches++;
    lua_pushvalue(L, DG_UP_MESSAGE_HANDLER);
    int handler = lua_gettop(L);
    do {
        hub->turn.entered = 0;
        lua_pushvalue(L, DG_UP_BODY);
        if (s != NULL)
            lua_pushvalue(L, index);
        else
            lua_pushnil(L);
        lua_pushlightuserdata(L, hub);
        status = lua_pcall(L, 2, 0, handler);
        if (status != 0)
            dg_uncaught_take(L, hub);
    } while (status != 0 && status != LUA_ERRMEM && hub->turn.entered);
    if (status != 0 && s != NULL)
        note_what_is_left(s);
    lua_pop(L, 1);
    hub->depth--;
    hub->turn = outer;
}

static int settle(lua_State *L)
{
    dg_round_settle(L, dg_hub_of(L));
    return 0;
}

/* What nobody caught goes to luv, as a string: it prints what it is given. */
DG_COLD static int raise_uncaught(lua_State *L)
{
    if (!lua_isstring(L, -1)) {
        dg_tolstring(L, -1, NULL);
        if (lua_istable(L, -2))
            lua_getfield(L, -2, "traceback");
        else
            lua_pushnil(L);
        if (lua_isstring(L, -1)) {
            lua_pushfstring(L, "%s\n%s", lua_tostring(L, -2), lua_tostring(L, -1));
        } else {
            lua_pop(L, 1);
        }
    }
    return lua_error(L);
}

DG_COLD static void settle_protected(lua_State *L, dg_hub *hub)
{
    lua_pushcfunction(L, settle);
    if (lua_pcall(L, 0, 0, 0) != 0) { /* no memory to start the tick: dgram.run tries again */
        lua_pop(L, 1);
        hub->lost++;
    }
}

/* The way out of the outermost dispatch. */
DG_HOT static int leave(lua_State *L, dg_hub *hub)
{
    if (dg_round_unsettled(hub))
        settle_protected(L, hub);
    if (hub->depth == 0 && hub->running == 0 && (hub->uncaught != 0 || hub->lost != 0) && dg_uncaught_push(L))
        return raise_uncaught(L);
    return 0;
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
    if (s->happened == DG_READABLE)
        dg_receive_ahead(s);
    dg_follow_learn(s->hub, s);
    run_body(L, s->hub, s, index);
}

/* Dispatches for those that are likely to have been sent something meanwhile, as long as that is one datagram a time
 * and leaves no other work: then it is the loop's turn. */
DG_HOT static void follow(lua_State *L, dg_hub *hub, dg_socket *s)
{
    int top = lua_gettop(L), lone = 1;
    for (int hops = 0; lone && hops < MOST_HOPS && !dg_round_unsettled(hub) && hub->uncaught == 0; hops++) {
        dg_socket *next = dg_follow_guess(L, hub, s);
        if (next == NULL)
            break;
        lone = next->ahead == 1 && !next->linger;
        next->happened |= DG_READABLE;
        run_body(L, hub, next, top + 1);
        lua_settop(L, top);
        s = next;
    }
    dg_follow_note(hub, s);
}

/* luv's callback for the poll of a socket that is read or written. */
DG_HOT static int on_poll(lua_State *L)
{
    dg_socket *s = lua_touserdata(L, DG_UP_SOCKET);
    dg_hub *hub = s->hub;
    dispatch(L, s, DG_UP_SOCKET, told(L));
    if (hub->depth == 0) {
        follow(L, hub, s);
        if (++s->wakes >= DG_MODERATION_WINDOW)
            dg_moderation_consider(L, DG_UP_SOCKET, s);
    }
    return leave(L, hub);
}

/* luv's callback for the alarm of moderated sockets. */
static int on_alarm(lua_State *L)
{
    dg_hub *hub = dg_hub_of(L);
    int top = lua_gettop(L);
    dg_follow_note(hub, NULL);
    for (unsigned left = dg_moderation_rung(L, hub); left != 0; left--) {
        dg_socket *s = dg_moderation_next(hub);
        if (s == NULL)
            break;
        dg_socket_push(L, s);
        if (lua_isnil(L, -1)) {
            dg_moderation_forget(s); /* it is being collected */
        } else {
            s->followed = 0; /* the loop has no event of it */
            dispatch(L, s, top + 1, DG_READABLE);
            dg_moderation_judge(L, top + 1, s);
        }
        lua_settop(L, top);
    }
    return leave(L, hub);
}

/* Dispatches for a socket that may be gone: one that is being collected is nowhere to be found. */
static int dispatch_if_there(lua_State *L, unsigned happened)
{
    dg_hub_get(L, DG_STORE_SOCKETS);
    dg_rawgetp(L, -1, lua_touserdata(L, DG_UP_SOCKET));
    dg_socket *s = lua_touserdata(L, -1);
    if (s == NULL)
        return 0;
    dispatch(L, s, lua_gettop(L), happened);
    return leave(L, s->hub);
}

/* luv's callback for a poll that only keeps the loop alive. */
static int on_alive(lua_State *L)
{
    return dispatch_if_there(L, told(L));
}

static int on_retry(lua_State *L)
{
    return dispatch_if_there(L, DG_RETRY);
}

static int on_tick(lua_State *L)
{
    dg_hub *hub = dg_hub_of(L);
    dg_follow_note(hub, NULL);
    run_body(L, hub, NULL, 0);
    return leave(L, hub);
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
    dg_luv_need(L, "dgram.run");
    dg_hub *hub = dg_hub_of(L);
    lua_settop(L, 1);
    dg_tick_resume(L, hub);
    dg_luv_push(L, "run");
    int arguments = !lua_isnil(L, 1);
    if (arguments && hub->moderated_count != 0) /* once, nowait: what is there is to be delivered now */
        dg_moderation_end_all(L, hub);
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
