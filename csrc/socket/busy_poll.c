/* SPDX-License-Identifier: MIT */
#include "busy_poll.h"

#include "../net/descriptor.h"
#include "../lua/error.h"
#include "../loop/luv.h"
#include "../loop/turn.h"
#include "ready.h"
#include "work.h"

enum { LONGEST_WAIT = 1000000 }; /* microseconds */

/* Returns the descriptor to ask: the loop's own, which tells of everything that the loop watches, the socket included.
 * A loop that has none to show is asked for nothing else than the socket. */
static int descriptor_to_ask(lua_State *L, const dg_socket *s)
{
    int fd = -1;
    if (!dg_luv_available(L))
        return s->fd;
    dg_luv_push(L, "backend_fd");
    if (lua_isfunction(L, -1)) {
        lua_call(L, 0, 1);
        fd = lua_isnumber(L, -1) ? (int)lua_tointeger(L, -1) : -1;
    }
    lua_pop(L, 1);
    return fd >= 0 ? fd : s->fd;
}

/* Inside of a listener the loop of that listener waits for itself, and may be about to end. */
static int may_wait(const dg_socket *s)
{
    const dg_state *state = s->state;
    return dg_socket_takes_messages(s) && !s->rx.moderated && state->depth == 1 && !dg_work_has_work(state) &&
           state->pending_closes == 0 && state->uncaught == 0;
}

int dg_busy_poll_wait(lua_State *L, dg_socket *s)
{
    dg_state *state = s->state;
    const uint32_t received = (uint32_t)s->rx.messages;
    const int has_delivered = s->rx.received_before != received;
    s->rx.received_before = received;
    if (!has_delivered || !may_wait(s))
        return 0;
    const int fd = descriptor_to_ask(L, s);
    if (dg_turn_look(state) || !may_wait(s)) /* finalizers may have run */
        return 0;
    const uint32_t began = state->turn.since;
    do {
        if (dg_descriptor_is_ready(fd)) { /* if for another handle, nothing is delivered, and that ends the wait */
            dg_ready_add(s, DG_READABLE);
            return 1;
        }
    } while (!dg_turn_look(state) && state->turn.since - began < s->rx.busy_poll);
    return 0;
}

/* core.setBusyPoll(socket, false | microseconds) */
static int core_set_busy_poll(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    int64_t wait = 0;
    if (lua_isboolean(L, 2) && !lua_toboolean(L, 2))
        return 0;
    if (lua_type(L, 2) != LUA_TNUMBER)
        dg_error_arg_type(L, 2, "options.busyPoll", "a number of microseconds, or false");
    if (!dg_isinteger(L, 2, &wait) || wait < 1 || wait > LONGEST_WAIT)
        dg_error_range(L, 2, "options.busyPoll", "an integer >= 1 and <= 1000000");
    s->rx.busy_poll = (uint32_t)wait;
    return 0;
}

static const luaL_Reg core[] = {{"setBusyPoll", core_set_busy_poll}, {NULL, NULL}};

void dg_busy_poll_open(lua_State *L)
{
    dg_socket_add(L, NULL, core);
}
