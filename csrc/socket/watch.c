/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include <errno.h>
#include <stdlib.h>

#include "../net/descriptor.h"
#include "../lua/error.h"
#include "../loop/due.h"
#include "../loop/idle.h"
#include "../loop/luv.h"
#include "work.h"

/* What the poll watches for. A datagram socket is never disconnected, so a poll that watches for that alone keeps the
 * loop alive and wakes nobody. */
enum dg_watch_for { DG_WATCH_READ = 1, DG_WATCH_WRITE = 2, DG_WATCH_ALIVE = 4, DG_WATCH_UNKNOWN = 8 };

/* Prioritized data never comes on a datagram socket. But with it in the set libuv reports a socket error as an event,
 * where otherwise it stops the handle and luv prints. */
#if defined(__linux__)
static const char *const modes[] = {NULL, "rp", "wp", "rwp", "dp", "rdp", "wdp", "rwdp"};
#else
static const char *const modes[] = {NULL, "r", "w", "rw", "d", "rd", "wd", "rwd"};
#endif

enum { UNKNOWN = 2 }; /* handle_unreferenced of a handle that another socket had */

enum { CLOSE_PLACES_AT_FIRST = 8 };

/* The close queue is a table of handles, and an array with the descriptor that is closed with each. This pops a handle
 * into a place; the table is below it. */
static void set_place(lua_State *L, dg_state *state, unsigned place, int fd)
{
    lua_rawseti(L, -2, (int)place + 1);
    state->close_fds[place] = fd;
}

/* Free places hold false: the table could shrink if they were nil. The table is on top of the stack. */
static void clear_place(lua_State *L, dg_state *state, unsigned place)
{
    lua_pushboolean(L, 0);
    set_place(L, state, place, -1);
}

/* Makes sure that the close queue has a place for one handle more than there are. Runs no finalizer. */
static void reserve_place(lua_State *L, dg_state *state, const char *constructor)
{
    if (state->handles < state->close_places)
        return;
    const unsigned places = state->close_places != 0 ? 2 * state->close_places : CLOSE_PLACES_AT_FIRST;
    int *fds = realloc(state->close_fds, places * sizeof *fds);
    if (fds == NULL)
        dg_error_raise_system(L, -ENOMEM, constructor, NULL);
    state->close_fds = fds;
    dg_registry_get(L, DG_REGISTRY_CLOSE_QUEUE);
    for (; state->close_places < places; state->close_places++)
        clear_place(L, state, state->close_places);
    lua_pop(L, 1);
}

/* A finalizer that finds no memory cannot try again later, so a handle's place in the close queue is there before the
 * handle is. A finalizer that runs in the constructor may make another handle, which takes that place. */
void dg_watch_new_handle(lua_State *L, dg_state *state, const char *constructor, int arguments)
{
    reserve_place(L, state, constructor);
    dg_luv_new(L, constructor, arguments);
    reserve_place(L, state, constructor);
}

void dg_watch_make(lua_State *L, int index, dg_socket *s)
{
    index = dg_absindex(L, index);
    lua_pushinteger(L, s->fd);
    dg_watch_new_handle(L, s->state, "new_poll", 1);
    dg_getuservalue(L, index);
    lua_insert(L, -2);
    lua_rawseti(L, -2, DG_SLOT_POLL);
    lua_pop(L, 1);
    s->state->handles++;
    s->state->watched++;
    s->watch.has_handle = 1;
    s->watch.handle_unreferenced = 0;
}

static void push_poll(lua_State *L, int index)
{
    dg_getuservalue(L, index);
    lua_rawgeti(L, -1, DG_SLOT_POLL);
    lua_remove(L, -2);
}

/* A socket that is to be read or written is kept alive anyway, so its callback may have it as an upvalue. A socket
 * whose poll only keeps the loop alive must be collected when the program forgets it. */
static void push_callback(lua_State *L, int index, dg_socket *s, unsigned watch)
{
    if (watch & (DG_WATCH_READ | DG_WATCH_WRITE)) {
        lua_pushvalue(L, index);
        dg_state_push_callback(L, s->state->on_poll);
    } else {
        lua_pushlightuserdata(L, s);
        dg_state_push_callback(L, s->state->on_alive);
    }
}

static void start_poll(lua_State *L, int index, dg_socket *s, unsigned watch)
{
    push_poll(L, index);
    if (dg_luv_is_closing(L)) {
        lua_pop(L, 1);
        return;
    }
    dg_luv_push(L, "poll_start");
    lua_insert(L, -2);
    lua_pushstring(L, modes[watch]);
    push_callback(L, index, s, watch);
    dg_luv_start(L, "poll_start", 3);
}

static void reference_poll(lua_State *L, int index, dg_socket *s)
{
    const int unreferenced = dg_socket_unreferenced(s);
    push_poll(L, index);
    dg_luv_call(L, unreferenced ? "unref" : "ref");
    s->watch.handle_unreferenced = (unsigned char)unreferenced;
}

/* Arguments: the socket, its light userdata. */
static int stop_body(lua_State *L)
{
    dg_socket *s = lua_touserdata(L, 2);
    s->watch.busy = 1; /* a finalizer that runs the loop meanwhile must not have the handle closed */
    push_poll(L, 1);
    dg_luv_call(L, "poll_stop");
    s->watch.watching = 0;
    return 0;
}

/* Stops the poll. Returns 0, or the status of a protected call, whose error is on the stack. */
static int stop_poll(lua_State *L, int index, dg_socket *s)
{
    const int status = dg_socket_call(L, index, s, stop_body, 0, 0);
    s->watch.busy = 0;
    return status;
}

/* Makes the poll watch for `watch`, which is not empty. Arguments: the socket, its light userdata, watch. */
static int watch_body(lua_State *L)
{
    dg_socket *s = lua_touserdata(L, 2);
    unsigned watch = (unsigned)lua_tointeger(L, 3);
    s->watch.busy = 1; /* a finalizer that closes the socket while luv allocates must not close the descriptor yet */
    if (s->fd < 0)     /* one has done so before this began */
        return 0;
    if (!s->watch.has_handle)
        dg_watch_make(L, 1, s);
    if (watch != s->watch.watching) {
        s->watch.watching = DG_WATCH_UNKNOWN; /* it stays unknown if this raises */
        start_poll(L, 1, s, watch);
        s->watch.watching = (unsigned char)watch;
    }
    if (dg_socket_unreferenced(s) != s->watch.handle_unreferenced)
        reference_poll(L, 1, s);
    return 0;
}

static void watch_for(lua_State *L, int index, dg_socket *s, unsigned watch)
{
    if (watch == 0) {
        if (s->watch.watching != 0 && !s->state->luv_gone && stop_poll(L, index, s) != 0)
            lua_error(L);
        return;
    }
    if (!dg_luv_present(L))
        return;
    lua_pushinteger(L, (lua_Integer)watch);
    int status = dg_socket_call(L, index, s, watch_body, 1, 0);
    s->watch.busy = 0;
    if (status != 0)
        lua_error(L);
}

/* Returns what the poll has to watch for, a set of dg_watch_for. A socket that the timer receives from (moderation.c),
 * or that was reported again before its turn (ready.c), is not polled for reading meanwhile; who ends that calls
 * dg_watch_update. */
static unsigned wanted_watch(const dg_socket *s)
{
    unsigned watch = 0;
    if (s->life == DG_OPEN && (s->local.state == DG_BOUND || s->local.will_bind) && !(s->rx.stopped & DG_BAD_FD) &&
        !s->rx.moderated && !s->watch.awaits_turn)
        watch = dg_socket_takes_messages(s) ? DG_WATCH_READ : DG_WATCH_ALIVE;
    if (s->tx.blocked == DG_BLOCKED_POLL && s->fd >= 0)
        watch = (watch & DG_WATCH_READ) | DG_WATCH_WRITE;
    return watch;
}

void dg_watch_update(lua_State *L, int index, dg_socket *s)
{
    unsigned watch;
    int unreferenced;
    dg_socket_keep_alive(L, index, s);
    if (s->watch.busy ||
        (wanted_watch(s) == s->watch.watching && dg_socket_unreferenced(s) == s->watch.handle_unreferenced))
        return;
    const unsigned before = s->watch.watching;
    do { /* again if a finalizer has changed the state while luv allocated: its own call has done nothing */
        watch = wanted_watch(s);
        unreferenced = dg_socket_unreferenced(s);
        watch_for(L, index, s, watch);
    } while (wanted_watch(s) != watch || dg_socket_unreferenced(s) != unreferenced);
    if (s->watch.watching & ~before)
        dg_due_note(L, s->state);
    if (s->life == DG_CLOSING)
        dg_work_add(L, index, s, DG_WORK_CLOSE);
}

void dg_watch_stopped(dg_socket *s)
{
    s->watch.watching = 0;
}

/* Moves the socket's handles from their slots to the close queue; the poll's place keeps `fd` taken. Allocates nothing:
 * the places are reserved. */
static void queue_handles(lua_State *L, int index, dg_socket *s, int fd)
{
    static const int slots[] = {DG_SLOT_TIMER, DG_SLOT_DEADLINE, DG_SLOT_POLL};
    dg_state *state = s->state;
    dg_getuservalue(L, index);
    dg_registry_get(L, DG_REGISTRY_CLOSE_QUEUE);
    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++) {
        lua_rawgeti(L, -2, slots[i]);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            continue;
        }
        set_place(L, state, state->pending_closes++, slots[i] == DG_SLOT_POLL ? fd : -1);
        lua_pushnil(L);
        lua_rawseti(L, -3, slots[i]);
    }
    lua_pop(L, 2);
    s->watch.has_handle = s->watch.watching = 0;
    state->watched--;
}

/* The handle is only stopped here (watch.h). Until it is closed its descriptor's number is kept taken: closing the
 * handle makes libuv forget the number, which must not be a new socket's by then. */
void dg_watch_release(lua_State *L, int index, dg_socket *s)
{
    dg_state *state = s->state;
    const int fd = s->fd;
    index = dg_absindex(L, index);
    if (!s->watch.has_handle || state->luv_gone) {
        s->fd = -1;
        s->watch.has_handle = s->watch.watching = 0;
        dg_descriptor_close(fd);
        return;
    }
    const int status = stop_poll(L, index, s);
    queue_handles(L, index, s, fd);
    s->fd = -1;
    s->watch.close_serial = ++state->close_serials;
    if (status == 0)
        dg_descriptor_retire(fd);
    else /* the descriptor stays as it is until its handle is closed, and also where that failed */
        lua_pop(L, 1);
    if (state->depth == 0) {
        dg_idle_start(L, state);
        dg_due_note(L, state);
    }
}

/* Takes the handle at a place of the close queue, counted from 0, for the socket. The last handle moves to that place.
 * Allocates nothing. */
static void reuse_handle(lua_State *L, int index, dg_socket *s, unsigned place)
{
    dg_state *state = s->state;
    const unsigned last = --state->pending_closes;
    dg_getuservalue(L, index);
    dg_registry_get(L, DG_REGISTRY_CLOSE_QUEUE);
    lua_rawgeti(L, -1, (int)place + 1);
    lua_rawseti(L, -3, DG_SLOT_POLL);
    lua_rawgeti(L, -1, (int)last + 1);
    set_place(L, state, place, state->close_fds[last]);
    clear_place(L, state, last);
    lua_pop(L, 2);
    state->watched++;
    s->watch.has_handle = 1;
    s->watch.handle_unreferenced = UNKNOWN;
}

/* Returns the descriptor's number that a place of the close queue keeps taken; -1: there is none, or the program has
 * closed the handle itself. The queue is on top of the stack. A finalizer that runs meanwhile may empty the queue. */
static int reusable_fd(lua_State *L, const dg_state *state, unsigned place)
{
    int number = state->close_fds[place];
    lua_rawgeti(L, -1, (int)place + 1);
    if (number >= 0 && dg_luv_is_closing(L))
        number = -1;
    lua_rawgeti(L, -2, (int)place + 1);
    if (place >= state->pending_closes || state->close_fds[place] != number || !lua_rawequal(L, -1, -2))
        number = -1;
    lua_pop(L, 2);
    return number;
}

int dg_watch_open(lua_State *L, int index, dg_socket *s)
{
    dg_state *state = s->state;
    unsigned place = state->luv_gone ? 0 : state->pending_closes;
    int number = -1;
    index = dg_absindex(L, index);
    dg_registry_get(L, DG_REGISTRY_CLOSE_QUEUE);
    while (number < 0 && place-- != 0)
        number = place < state->pending_closes ? reusable_fd(L, state, place) : -1;
    int fd = number >= 0 ? dg_descriptor_open_as(s->family, number) : dg_descriptor_open(s->family);
    if (number >= 0 && fd == number) {
        reuse_handle(L, index, s, place);
    } else if (number >= 0 && !dg_descriptor_is_open(number)) { /* another thread has taken the number meanwhile */
        state->close_fds[place] = -1;
    }
    lua_pop(L, 1);
    return fd;
}

static int protected_release(lua_State *L)
{
    dg_watch_release(L, 1, lua_touserdata(L, 2));
    return 0;
}

void dg_watch_forget(lua_State *L, int index, dg_socket *s)
{
    if (s->fd < 0)
        return;
    if (s->watch.has_handle && dg_socket_call(L, index, s, protected_release, 0, 0) != 0)
        lua_pop(L, 1);
    s->watch.has_handle = s->watch.watching = 0;
    if (s->fd >= 0)
        dg_descriptor_close(s->fd);
    s->fd = -1;
}

int dg_watch_is_closing(const dg_socket *s)
{
    return s->watch.close_serial > s->state->closed_serial;
}

void dg_watch_abandon(lua_State *L, int index, dg_socket *s)
{
    if (!s->watch.has_handle)
        return;
    index = dg_absindex(L, index);
    if (stop_poll(L, index, s) != 0)
        lua_pop(L, 1);
    queue_handles(L, index, s, -1);
}

/* Argument: a handle. */
static int close_body(lua_State *L)
{
    dg_luv_call(L, "close");
    return 0;
}

/* Closes the handle that was queued last. Its place is free before that, because a finalizer may use it meanwhile. */
static void close_last(lua_State *L, dg_state *state)
{
    lua_pushcfunction(L, close_body);
    dg_registry_get(L, DG_REGISTRY_CLOSE_QUEUE);
    const unsigned last = --state->pending_closes;
    const int fd = state->close_fds[last];
    lua_rawgeti(L, -1, (int)last + 1);
    lua_insert(L, -2);
    clear_place(L, state, last);
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_insert(L, -3); /* the handle, the function, the handle */
    int status = lua_pcall(L, 1, 0, 0);
    if (status == LUA_ERRMEM) { /* the next dispatch tries again */
        dg_registry_get(L, DG_REGISTRY_CLOSE_QUEUE);
        lua_pushvalue(L, -3);
        set_place(L, state, state->pending_closes++, fd);
        lua_pop(L, 1);
        lua_error(L);
    }
    if (status != 0) /* the program has closed it, and it is gone */
        lua_pop(L, 1);
    state->handles--;
    if (fd >= 0)
        dg_descriptor_close(fd);
    lua_pop(L, 1);
}

void dg_watch_close_pending(lua_State *L, dg_state *state)
{
    state->closed_serial = state->close_serials;
    while (state->pending_closes != 0 && !state->luv_gone)
        close_last(L, state);
}
