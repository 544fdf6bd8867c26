/* SPDX-License-Identifier: MIT */
#include "take.h"

#include <errno.h>

#include "../lua/error.h"
#include "icmp.h"
#include "lists.h"
#include "receive.h"
#include "work.h"

/* What a call may take: what the kernel has, beside the batch at hand; only as much as the turn has room for. */
enum { FROM_KERNEL = 1, IN_TURN = 2 };

enum { MOST_LOOKS = 64 }; /* receives in one call, all of whose datagrams were refused */

/* What the call brings from the kernel and leaves is for those who wait or listen beside it, without another event of
 * the poll. */
static int must_note_rest(const dg_socket *s, unsigned from)
{
    return (from & FROM_KERNEL) && dg_receive_pending(s) && !(s->job.pending & DG_WORK_RESUME);
}

/* Brings the cursor to the next datagram of the socket at index 1, if there is one. Returns whether, or a negative
 * errno. Nothing is allocated between the last look at the batch and the return. */
static int find_next(lua_State *L, dg_socket *s, unsigned from)
{
    int noted = 0;
    for (unsigned looks = 0;; looks++) {
        if (!dg_batch_may_be_taken(s) || ((from & IN_TURN) && !dg_batch_has_share(s)))
            return 0;
        dg_batch_skip_refused(s);
        if (dg_batch_left(s) && !noted && must_note_rest(s, from)) {
            noted = 1; /* without a loop there is none */
            dg_work_add(L, 1, s, DG_WORK_RESUME);
            continue; /* finalizers may have run */
        }
        if (dg_batch_left(s))
            return 1;
        if (!(from & FROM_KERNEL) || looks == MOST_LOOKS)
            return 0;
        int got = dg_batch_receive(s);
        if (got == -EBADF || got == -ENOTSOCK)
            dg_receive_stop(s, DG_BAD_FD);
        if (got > 0 && s->family != AF_UNIX)
            dg_batch_update_want(s, (unsigned)got);
        if (got <= 0)
            return got;
    }
}

static void leave_batch(dg_socket *s)
{
    if (!dg_batch_left(s))
        dg_receive_drop(s);
}

int dg_take_one(lua_State *L, dg_socket *s)
{
    const int top = lua_gettop(L);
    int taken = 0;
    dg_receive_frame frame = dg_receive_push_frame(L, 1, s);
    while (!taken && find_next(L, s, IN_TURN) > 0)
        taken = dg_receive_take(L, &frame, s);
    leave_batch(s);
    if (!taken)
        lua_settop(L, top);
    return taken;
}

static int push_closed(lua_State *L)
{
    lua_pushnil(L);
    lua_pushliteral(L, "closed");
    return 2;
}

/* core.take(socket, from): the next datagram: message, rinfo, whether a `batch` event had it; nothing where there is
 * none, or nil and an error, or nil and "closed". */
static int core_take(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    const unsigned from = (unsigned)lua_tointeger(L, 2);
    int found, was_announced = 0;
    if (s->life != DG_OPEN)
        return push_closed(L);
    if (!(from & FROM_KERNEL) && (!dg_batch_left(s) || (s->rx.receiving & DG_TAKES_LISTS)))
        return 0;
    lua_settop(L, 1);
    dg_receive_frame frame = dg_receive_push_frame(L, 1, s);
    while ((found = find_next(L, s, from)) > 0) {
        was_announced = s->rx.batch_at < s->rx.announced;
        if (dg_receive_take(L, &frame, s))
            break;
    }
    leave_batch(s);
    if (found > 0) {
        lua_pushboolean(L, was_announced);
        return 3;
    }
    if (found == 0)
        return 0;
    lua_pushnil(L);
    return dg_icmp_push_or(L, s, found) ? 2 : 0;
}

/* Appends the datagram under the cursor to the lists, and moves the cursor past it. Returns whether it did: a finalizer
 * may have changed the batch. */
static int take_into(lua_State *L, dg_receive_frame *frame, dg_socket *s, dg_lists *lists)
{
    const unsigned outer = dg_receive_hold(s);
    lists->mark = dg_lists_mark(s);
    int size = dg_lists_append(L, frame, s, lists, s->rx.batch_at, s->rx.batch_offset);
    dg_receive_release(s, outer);
    lists->has_rinfo = size >= 0;
    if (size < 0)
        return 0;
    dg_batch_advance(s, dg_arena_slot(s->rx.batch, s->rx.batch_at), (uint32_t)size);
    if (s->state->depth != 0)
        dg_turn_called(s->state);
    return 1;
}

/* core.takeMany(socket, messages, rinfos, most, from): appends to the two lists until these have so many. Returns how
 * many they have, an error where the first one was none, and how many of the first new ones `batch` events had. What it
 * has put there remains when it raises. */
static int core_take_many(lua_State *L)
{
    enum { MESSAGES = 2, RINFOS, MOST };
    dg_socket *s = dg_socket_check(L);
    const lua_Integer most = lua_tointeger(L, MOST);
    const unsigned from = (unsigned)lua_tointeger(L, 5);
    dg_lists lists = {.messages = MESSAGES, .rinfos = RINFOS, .count = (int)dg_rawlen(L, MESSAGES)};
    int found = 0, announced = 0;
    lua_settop(L, MOST);
    dg_receive_frame frame = dg_receive_push_frame(L, 1, s);
    lua_pushnil(L);
    lists.rinfo = lua_gettop(L);
    while (lists.count < most && (found = find_next(L, s, from)) > 0) {
        int was_announced = s->rx.batch_at < s->rx.announced;
        announced += take_into(L, &frame, s, &lists) && was_announced;
    }
    leave_batch(s);
    lua_pushinteger(L, lists.count);
    if (found >= 0 || lists.count != 0 || !dg_icmp_push_or(L, s, found))
        lua_pushnil(L);
    lua_pushinteger(L, announced);
    return 3;
}

void dg_take_configure(lua_State *L)
{
    dg_registry_get(L, DG_REGISTRY_CORE);
    dg_receive_push_upvalues(L);
    lua_pushcclosure(L, core_take, DG_RECEIVE_UPVALUES);
    lua_setfield(L, -2, "take");
    dg_receive_push_upvalues(L);
    lua_pushcclosure(L, core_take_many, DG_RECEIVE_UPVALUES);
    lua_setfield(L, -2, "takeMany");
    lua_pop(L, 1);
}
