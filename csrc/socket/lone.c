/* SPDX-License-Identifier: MIT */
#include "lone.h"

#include "../lua/error.h"
#include "batch.h"
#include "receive.h"
#include "take.h"
#include "watch.h"
#include "work.h"

/* core.openQueue(socket): the Lua side's queue has somebody from now on. Returns the coroutine that waited alone, which
 * is the first one there, or nothing. */
static int core_open_queue(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    s->rx.queued = 1;
    if (!s->rx.lone)
        return 0;
    s->rx.lone = 0;
    dg_getuservalue(L, 1);
    lua_rawgeti(L, -1, DG_SLOT_LONE);
    lua_pushnil(L);
    lua_rawseti(L, -3, DG_SLOT_LONE);
    return 1;
}

/* core.closeQueue(socket): it has nobody any more. */
static int core_close_queue(lua_State *L)
{
    dg_socket_check(L)->rx.queued = 0;
    return 0;
}

/* core.setLone(socket, flag): whether a call may wait alone: there is no listener, and nothing was put back. */
static int core_set_lone(lua_State *L)
{
    dg_socket_check(L)->rx.may_be_lone = (unsigned char)lua_toboolean(L, 2);
    return 0;
}

#if LUA_VERSION_NUM >= 503

/* Upvalues of the method, behind those of receive.h. */
#define UP_SLOW lua_upvalueindex(DG_RECEIVE_UPVALUES + 1)
#define UP_TOKEN lua_upvalueindex(DG_RECEIVE_UPVALUES + 2)

static int finish_slowly(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    return lua_gettop(L);
}

static int receive_slowly(lua_State *L)
{
    lua_pushvalue(L, UP_SLOW);
    lua_insert(L, 1);
    lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, finish_slowly);
    return finish_slowly(L, LUA_OK, 0);
}

/* What the coroutine is resumed with: the token, and what receive returns; or anything, by somebody else. `base` is
 * what stood on its stack before. */
static int go_on(lua_State *L, int status, lua_KContext base)
{
    (void)status;
    if (lua_gettop(L) == (int)base + 3 && lua_rawequal(L, (int)base + 1, UP_TOKEN))
        return 2;
    lua_settop(L, (int)base);
    return lua_yieldk(L, 0, base, go_on);
}

static int may_wait(const dg_socket *s)
{
    return s->life == DG_OPEN && s->rx.may_be_lone && !s->rx.lone && !s->rx.queued &&
           !(s->rx.receiving & DG_TAKES_LISTS);
}

/* socket:receive([timeoutMs]) */
static int socket_receive(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    if (lua_gettop(L) != 1 || !may_wait(s) || !lua_isyieldable(L))
        return receive_slowly(L);
    if (dg_batch_left(s) && dg_take_one(L, s))
        return 2;
    if (s->rx.stopped & DG_NO_CALL) {
        dg_receive_set_waiting(s, 1);
        dg_watch_update(L, 1, s);
    }
    if (dg_receive_pending(s))
        dg_work_add(L, 1, s, DG_WORK_RESUME);
    dg_getuservalue(L, 1);
#if LUA_VERSION_NUM >= 504
    lua_rawgeti(L, -1, DG_SLOT_GUARD);
    lua_toclose(L, -1);
#endif
    lua_pushthread(L);
    lua_rawseti(L, 2, DG_SLOT_LONE);
    if (!may_wait(s) || (s->rx.stopped & DG_NO_CALL)) { /* finalizers have run */
        lua_settop(L, 1);
        return receive_slowly(L);
    }
    s->rx.lone = 1;
    return lua_yieldk(L, 0, lua_gettop(L), go_on);
}

/* A receiver. Upvalues: the socket, the Lua side's receiver, what is told of errors, the token. */
enum { SERVED = 1, SERVE, FAILED, TOKEN };

static int serve_slowly(lua_State *L)
{
    lua_settop(L, 2);
    lua_pushvalue(L, lua_upvalueindex(SERVE));
    lua_insert(L, 1);
    lua_call(L, 2, 0);
    return 0;
}

static int resume(lua_State *co, lua_State *L)
{
#if LUA_VERSION_NUM >= 504
    int results;
    int status = lua_resume(co, L, 3, &results);
    if (status == LUA_OK || status == LUA_YIELD)
        lua_pop(co, results);
#else
    int status = lua_resume(co, L, 3);
    if (status == LUA_OK || status == LUA_YIELD)
        lua_settop(co, 0);
#endif
    return status;
}

static int serve(lua_State *L)
{
    dg_socket *s = lua_touserdata(L, lua_upvalueindex(SERVED));
    if (!s->rx.lone)
        return serve_slowly(L);
    lua_settop(L, 2);
    dg_getuservalue(L, lua_upvalueindex(SERVED));
    lua_rawgeti(L, 3, DG_SLOT_LONE);
    lua_State *co = lua_tothread(L, -1);
    if (co == NULL || lua_status(co) != LUA_YIELD || !lua_checkstack(co, 3)) {
        s->rx.lone = 0;
        return serve_slowly(L);
    }
    lua_pushvalue(L, lua_upvalueindex(TOKEN));
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    s->rx.lone = 0;
    lua_xmove(L, co, 3);
    int status = resume(co, L);
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_pushvalue(L, lua_upvalueindex(FAILED));
        lua_pushvalue(L, -2);
        lua_xmove(co, L, 1);
        lua_call(L, 2, 0);
    }
    if (!s->rx.lone) {
        lua_settop(L, 3);
        lua_pushnil(L);
        lua_rawseti(L, 3, DG_SLOT_LONE);
    }
    if (!s->rx.lone && !s->rx.queued && s->rx.may_be_lone) {
        dg_receive_set_waiting(s, 0);
        dg_watch_update(L, lua_upvalueindex(SERVED), s);
    }
    return 0;
}

/* core.loneServe(socket, serve, failed, token): the receiver of a socket without listeners. */
static int core_lone_serve(lua_State *L)
{
    dg_socket_check(L);
    lua_settop(L, 4);
    lua_pushcclosure(L, serve, 4);
    return 1;
}

/* core.loneReceive(receive, token): the method, which calls `receive` where it does not wait alone. */
static int core_lone_receive(lua_State *L)
{
    lua_settop(L, 2);
    dg_receive_push_upvalues(L);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, socket_receive, DG_RECEIVE_UPVALUES + 2);
    return 1;
}

/* core.setGuard(socket, guard): what a waiting call is to close when its coroutine is closed. */
static int core_set_guard(lua_State *L)
{
    dg_socket_check(L);
    lua_settop(L, 2);
    dg_getuservalue(L, 1);
    lua_insert(L, 2);
    lua_rawseti(L, 2, DG_SLOT_GUARD);
    return 0;
}

/* core.leave(guard): its __close. The guard holds the socket, and a function for where it waits in the queue. */
static int core_leave(lua_State *L)
{
    enum { GUARDED = 1, GIVE_UP };
    lua_settop(L, 1);
    lua_rawgeti(L, 1, GUARDED);
    dg_socket *s = lua_touserdata(L, 2);
    if (s == NULL)
        return 0;
    if (s->rx.queued) {
        lua_rawgeti(L, 1, GIVE_UP);
        lua_call(L, 0, 0);
        return 0;
    }
    if (!s->rx.lone)
        return 0;
    dg_getuservalue(L, 2);
    lua_rawgeti(L, 3, DG_SLOT_LONE);
    if (lua_tothread(L, -1) != L)
        return 0;
    s->rx.lone = 0;
    lua_pushnil(L);
    lua_rawseti(L, 3, DG_SLOT_LONE);
    dg_receive_set_waiting(s, 0);
    dg_watch_update(L, 2, s);
    return 0;
}

#endif

void dg_lone_open(lua_State *L)
{
    static const luaL_Reg core[] = {
        {"openQueue", core_open_queue},
        {"closeQueue", core_close_queue},
        {"setLone", core_set_lone},
#if LUA_VERSION_NUM >= 503
        {"loneServe", core_lone_serve},
        {"loneReceive", core_lone_receive},
        {"setGuard", core_set_guard},
        {"leave", core_leave},
#endif
        {NULL, NULL}
    };
    dg_socket_add(L, NULL, core);
}
