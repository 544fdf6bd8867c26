/* SPDX-License-Identifier: MIT */
#include "due.h"

#include "../lua/error.h"
#include "uncaught.h"

enum { ROOM = 4 }; /* stack places of a call */

/* Pushes nothing. Allocates nothing by itself, so that a call that has sent or bound does not fail for it. */
static void tell(lua_State *L, dg_state *state)
{
    if (!lua_checkstack(L, ROOM))
        return;
    dg_registry_get(L, DG_REGISTRY_MESSAGE_HANDLER);
    dg_registry_get(L, DG_REGISTRY_ON_DUE);
    if (!lua_isfunction(L, -1)) {
        lua_pop(L, 2);
        return;
    }
    state->due_told = 1;
    state->telling++;
    int status = lua_pcall(L, 0, 0, -2);
    state->telling--;
    if (status != 0)
        dg_uncaught_take(L, state);
    lua_pop(L, 1);
}

void dg_due_note(lua_State *L, dg_state *state)
{
    state->due = 1;
    if (!state->due_told && state->running == 0 && state->depth == 0)
        tell(L, state);
}

void dg_due_forget(dg_state *state)
{
    state->due = state->due_told = 0;
}

/* core.onDue(fn | nil) */
static int on_due(lua_State *L)
{
    if (!lua_isnoneornil(L, 1) && !lua_isfunction(L, 1))
        dg_error_arg_type(L, 1, "fn", "a function or nil");
    lua_settop(L, 1);
    dg_registry_set(L, DG_REGISTRY_ON_DUE);
    dg_state_of(L)->due_told = 0;
    return 0;
}

void dg_due_add(lua_State *L)
{
    static const luaL_Reg core[] = {{"onDue", on_due}, {NULL, NULL}};
    dg_setfuncs(L, core);
}
