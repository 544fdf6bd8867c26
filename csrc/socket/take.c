/* SPDX-License-Identifier: MIT */
#include "take.h"

#include <errno.h>

#include "../lua/error.h"
#include "asked.h"
#include "batch.h"
#include "icmp.h"
#include "receive.h"

/* What a call may take: what the kernel has, beside the batch at hand; only as much as the turn has room for. */
enum { FROM_KERNEL = 1, IN_TURN = 2 };

enum { MOST_LOOKS = 64 }; /* receives in one call, all of whose datagrams were refused */

/* Brings the cursor to the next datagram, if there is one. Returns whether, or a negative errno. */
static int find_next(dg_socket *s, unsigned from)
{
    for (unsigned looks = 0;; looks++) {
        if (!dg_batch_may_be_taken(s) || ((from & IN_TURN) && !dg_batch_has_share(s)))
            return 0;
        dg_batch_skip_refused(s);
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
    while (!taken && find_next(s, IN_TURN) > 0)
        taken = dg_receive_take(L, &frame, s, 0);
    leave_batch(s);
    if (!taken)
        lua_settop(L, top);
    return taken;
}

static void push_failure(lua_State *L, const dg_socket *s, int error)
{
    if (!dg_icmp_push(L, s))
        dg_socket_push_error(L, s, error, "recvmsg", NULL);
}

static int push_closed(lua_State *L)
{
    lua_pushnil(L);
    lua_pushliteral(L, "closed");
    return 2;
}

/* core.take(socket, from): the next datagram: message, rinfo; nothing where there is none, or nil and an error, or nil
 * and "closed". */
static int core_take(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    const unsigned from = (unsigned)lua_tointeger(L, 2);
    if (s->life != DG_OPEN)
        return push_closed(L);
    if (!(from & FROM_KERNEL) && !dg_batch_left(s))
        return 0;
    lua_settop(L, 1);
    dg_receive_frame frame = dg_receive_push_frame(L, 1, s);
    int found;
    while ((found = find_next(s, from)) > 0)
        if (dg_receive_take(L, &frame, s, 0))
            break;
    leave_batch(s);
    if (found > 0)
        return 2;
    if (found == 0)
        return 0;
    lua_pushnil(L);
    push_failure(L, s, found);
    return 2;
}

/* core.takeMany(socket, messages, rinfos, most, from): appends to the two lists until these have so many. Returns how
 * many they have, and an error where the first one was none. What it has put there remains when it raises. */
static int core_take_many(lua_State *L)
{
    enum { MESSAGES = 2, RINFOS, MOST };
    dg_socket *s = dg_socket_check(L);
    const lua_Integer most = lua_tointeger(L, MOST);
    const unsigned from = (unsigned)lua_tointeger(L, 5);
    lua_Integer count = (lua_Integer)dg_rawlen(L, MESSAGES);
    dg_address sender = {0, {{0}}};
    dg_ancillary with = {0};
    int truncated = 0, found = 0;
    lua_settop(L, MOST);
    dg_receive_frame frame = dg_receive_push_frame(L, 1, s);
    lua_pushnil(L);
    const int shared = lua_gettop(L);
    while (count < most && (found = find_next(s, from)) > 0) {
        const dg_received *slot = dg_arena_slot(s->rx.batch, s->rx.batch_at);
        int same = !lua_isnil(L, shared) && slot->truncated == truncated && dg_address_same(&slot->from, &sender) &&
                   dg_asked_same(s, &slot->with, &with);
        if (!same) {
            sender = slot->from;
            if (s->rx.asked.set != 0)
                with = slot->with;
            truncated = slot->truncated;
        }
        if (!dg_receive_take(L, &frame, s, same ? shared : 0)) {
            lua_pushnil(L);
            lua_replace(L, shared);
            continue;
        }
        lua_pushvalue(L, -1);
        lua_replace(L, shared);
        lua_rawseti(L, RINFOS, (int)++count);
        lua_rawseti(L, MESSAGES, (int)count);
    }
    leave_batch(s);
    lua_pushinteger(L, count);
    if (found >= 0 || count != 0)
        return 1;
    push_failure(L, s, found);
    return 2;
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
