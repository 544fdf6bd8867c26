/* SPDX-License-Identifier: MIT */
#include "owed.h"

#include "../loop/luv.h"
#include "watch.h"
#include "work.h"

/* Counts the sockets in the table at `sockets`, and writes as many as fit into the list at `list` (0: none). Allocates
 * nothing, so no finalizer can change the table meanwhile. */
static int collect(lua_State *L, int sockets, int list, int room)
{
    int count = 0;
    for (lua_pushnil(L); lua_next(L, sockets) != 0; count++) {
        if (count < room)
            lua_rawseti(L, list, count + 1);
        else
            lua_pop(L, 1);
    }
    return count;
}

/* Pushes a list of all sockets; returns how many there are. */
static int push_sockets(lua_State *L)
{
    dg_registry_get(L, DG_REGISTRY_SOCKETS);
    const int sockets = lua_gettop(L);
    int room, count = collect(L, sockets, 0, 0);
    do { /* again if a finalizer has made more sockets */
        room = count;
        lua_settop(L, sockets);
        lua_createtable(L, room, 0);
        count = collect(L, sockets, sockets + 1, room);
    } while (count > room);
    return count;
}

/* What is noted is taken off the account after it was noted, because that may raise. */
static void note(lua_State *L, int index, dg_socket *s)
{
    static const char *const events[] = {"listening", "connect", "close"};
    if (s->job.owed != 0)
        dg_work_add(L, index, s, s->job.owed);
    s->job.owed = 0;
    for (unsigned i = 0; i < sizeof events / sizeof events[0]; i++) {
        const unsigned event = 1u << i;
        if (!(s->job.owed_events & event))
            continue;
        lua_pushnil(L);
        dg_work_emit(L, index, events[i]);
        s->job.owed_events &= (unsigned char)~event;
    }
    dg_watch_update(L, index, s);
}

int dg_owed_note(lua_State *L)
{
    const int count = push_sockets(L), list = lua_gettop(L);
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, list, i);
        note(L, list + 1, lua_touserdata(L, list + 1));
        lua_settop(L, list);
    }
    return 0;
}

/* core.listened(socket, event): somebody is about to listen. An event that waits for a loop needs it then. */
static int core_listened(lua_State *L)
{
    const dg_socket *s = dg_socket_check(L);
    if (s->job.owed_events != 0 && lua_type(L, 2) == LUA_TSTRING &&
        (s->job.owed_events & dg_work_owed_event(lua_tostring(L, 2))))
        dg_luv_available(L);
    return 0;
}

static const luaL_Reg core[] = {{"listened", core_listened}, {NULL, NULL}};

void dg_owed_open(lua_State *L)
{
    dg_socket_add(L, NULL, core);
}
