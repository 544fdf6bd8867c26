/* SPDX-License-Identifier: MIT */
#include "state.h"

#include <stdlib.h>
#include <string.h>

#include "../net/descriptor.h"

static int state_gc(lua_State *L)
{
    dg_state *state = lua_touserdata(L, 1);
    while (state->pending_closes != 0) {
        const int fd = state->close_fds[--state->pending_closes];
        if (fd >= 0)
            dg_descriptor_close(fd);
    }
    free(state->close_fds);
    state->close_fds = NULL;
    state->close_places = 0;
    if (state->timer_fd >= 0)
        dg_descriptor_close(state->timer_fd);
    state->timer_fd = -1;
    dg_arena_free(state->arena);
    dg_fifo_free(&state->spare);
    dg_cache_free(state->addresses);
    state->arena = NULL;
    state->addresses = NULL;
    /* Sockets that are finalized later must not find luv either. */
    state->luv_gone = 1;
    return 0;
}

static void new_weak_table(lua_State *L)
{
    lua_newtable(L);
    lua_newtable(L);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
}

dg_state *dg_state_open(lua_State *L)
{
    dg_registry_open(L);
    dg_state *state = dg_newuserdata(L, sizeof *state, 0);
    lua_pop(L, 1);
    memset(state, 0, sizeof *state);
    state->main = dg_mainthread(L);
    state->timer_fd = -1;
    state->due = 1; /* luv's own handles, the one of its threads among them, are not watched before the first turn */
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, state_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_rawseti(L, -2, DG_REGISTRY_STATE);
    new_weak_table(L);
    lua_rawseti(L, -2, DG_REGISTRY_SOCKETS);
    static const int tables[] = {DG_REGISTRY_KEPT_ALIVE, DG_REGISTRY_CLOSE_QUEUE};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        lua_newtable(L);
        lua_rawseti(L, -2, tables[i]);
    }
    return state;
}

dg_state *dg_state_of(lua_State *L)
{
    dg_registry_get(L, DG_REGISTRY_STATE);
    dg_state *state = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return state;
}

void dg_state_push_callback(lua_State *L, lua_CFunction function)
{
    dg_registry_push(L);
    const int registry = lua_gettop(L);
    lua_rawgeti(L, registry, DG_REGISTRY_BODY);
#if LUA_VERSION_NUM < 502
    lua_rawgeti(L, registry, DG_REGISTRY_MESSAGE_HANDLER);
#endif
    lua_remove(L, registry);
    lua_pushcclosure(L, function, lua_gettop(L) - registry + 2);
}

dg_arena *dg_state_take_arena(dg_state *state)
{
    dg_arena *arena = state->arena;
    state->arena = NULL;
    return arena != NULL ? arena : dg_arena_new();
}

void dg_state_give_arena(dg_state *state, dg_arena *arena)
{
    if (state->arena == NULL && !state->luv_gone)
        state->arena = arena;
    else
        dg_arena_free(arena);
}
