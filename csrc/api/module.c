/* SPDX-License-Identifier: MIT */
/* luaopen_dgram_core: opens all files that have methods or core functions, and returns the table `core` to
 * lua/dgram. */
#include <string.h>
#include <unistd.h>

#include "../net/timer.h"
#include "../lua/compat.h"
#include "../lua/error.h"
#include "../loop/due.h"
#include "../loop/luv.h"
#include "../loop/uncaught.h"
#include "../socket/adopt.h"
#include "../socket/asked.h"
#include "../socket/bind.h"
#include "../socket/busy_poll.h"
#include "../socket/buffers.h"
#include "../socket/close.h"
#include "../socket/connect.h"
#include "../socket/create.h"
#include "../socket/detach.h"
#include "../socket/dispatch.h"
#include "../socket/icmp.h"
#include "../socket/intake.h"
#include "../socket/listen.h"
#include "../socket/lone.h"
#include "../socket/moderation.h"
#include "../socket/owed.h"
#include "../socket/pair.h"
#include "../socket/reply.h"
#include "../socket/send.h"
#include "../socket/send_names.h"
#include "../socket/socket.h"
#include "../socket/work.h"
#include "blocklists.h"
#include "check.h"
#include "guest.h"
#include "memberships.h"
#include "options.h"
#include "queue_methods.h"
#include "raw_options.h"
#include "stats.h"
#include "version.h"

#if defined(__GNUC__)
#define EXPORT __attribute__((visibility("default")))
#else
#define EXPORT
#endif

enum { ROOM = 64 }; /* fields of core, and methods: a table that has to grow is rehashed, six times for so many */

/* core.configure(hooks): sets the functions of the Lua side that C calls (init.lua). From now on the files in the
 * caller's folder are skipped when an error says where it comes from. */
static int core_configure(lua_State *L)
{
    lua_Debug caller;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    dg_registry_set(L, DG_REGISTRY_HOOKS);
    dg_dispatch_configure(L);
    if (lua_getstack(L, 1, &caller)) {
        lua_getinfo(L, "S", &caller);
        const char *end = strrchr(caller.source, '/');
        if (end != NULL) {
            lua_pushlstring(L, caller.source, (size_t)(end - caller.source) + 1);
            dg_registry_set(L, DG_REGISTRY_SOURCE);
        }
    }
    return 0;
}

/* core.emitLater(socket, event, argument) */
static int core_emit_later(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TUSERDATA);
    const char *event = luaL_checkstring(L, 2);
    lua_settop(L, 3);
    dg_work_emit(L, 1, event);
    return 0;
}

/* core.callLater(function, error, value) */
static int core_call_later(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 3);
    dg_work_call(L, 0);
    return 0;
}

static int core_need_loop(lua_State *L)
{
    dg_luv_need(L, luaL_checkstring(L, 1));
    return 0;
}

/* core.uv(): luv, as C found it, or nil. */
static int core_uv(lua_State *L)
{
    if (!dg_luv_available(L))
        return 0;
    dg_registry_get(L, DG_REGISTRY_UV);
    return 1;
}

/* core.clock(): milliseconds since some time. */
static int core_clock(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)dg_timer_now() / 1000);
    return 1;
}

/* core.inLoop(): whether the loop runs, so far as dgram knows. */
static int core_in_loop(lua_State *L)
{
    const dg_state *state = dg_state_of(L);
    lua_pushboolean(L, state->depth != 0 || state->running != 0);
    return 1;
}

static int core_pid(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)getpid());
    return 1;
}

static const luaL_Reg core[] = {
    {"configure", core_configure},
    {"emitLater", core_emit_later},
    {"callLater", core_call_later},
    {"needLoop", core_need_loop},
    {"uv", core_uv},
    {"error", dg_error_new},
    {"systemError", dg_error_new_system},
    {"where", dg_error_where},
    {"place", dg_error_place},
    {"describe", dg_error_describe},
    {"clock", core_clock},
    {"inLoop", core_in_loop},
    {"pid", core_pid},
    {"run", dg_dispatch_run},
    {NULL, NULL},
};

/* Openers that take (core, methods) on top of the stack and leave them there. */
static void (*const rooms[])(lua_State *) = {
    dg_create_open,  dg_socket_open,      dg_close_open,         dg_bind_open,  dg_adopt_open,
    dg_connect_open, dg_blocklists_open,  dg_listen_open,        dg_lone_open,  dg_moderation_open,
    dg_send_open,    dg_send_names_open,  dg_queue_methods_open, dg_reply_open, dg_options_open,
    dg_buffers_open, dg_memberships_open, dg_stats_open,         dg_check_open, dg_raw_options_open,
    dg_asked_open,   dg_icmp_open,        dg_intake_open,        dg_pair_open,  dg_guest_open,
    dg_detach_open,  dg_owed_open,        dg_busy_poll_open,
};

EXPORT int luaopen_dgram_core(lua_State *L);

EXPORT int luaopen_dgram_core(lua_State *L)
{
#if LUA_VERSION_NUM >= 502
    luaL_checkversion(L); /* some Luas lack no function of another's module, but mean other things by its arguments */
#endif
    dg_registry_push(L);
    if (lua_istable(L, -1)) {
        lua_rawgeti(L, -1, DG_REGISTRY_CORE);
        return 1;
    }
    dg_state_open(L);
    lua_settop(L, 0);
    lua_newtable(L); /* the sockets' metatable, not filled yet */
    lua_pushliteral(L, "dgram.Socket");
    lua_setfield(L, -2, "__name");
    lua_pushvalue(L, -1);
    dg_registry_set(L, DG_REGISTRY_METATABLE);
    dg_error_open(L);
    dg_uncaught_open(L);
    dg_dispatch_open(L);
    lua_createtable(L, 0, ROOM);
    dg_setfuncs(L, core);
    dg_uncaught_add(L);
    dg_luv_add(L);
    dg_due_add(L);
    lua_createtable(L, 0, ROOM); /* metatable, core, methods */
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++)
        rooms[i](L);
    lua_pushvalue(L, -1);
    lua_setfield(L, 1, "__index");
    lua_setfield(L, 2, "methods");
    lua_pushliteral(L, DG_VERSION);
    lua_setfield(L, 2, "version");
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    dg_registry_set(L, DG_REGISTRY_CORE);
    return 1;
}
