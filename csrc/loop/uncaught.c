/* SPDX-License-Identifier: MIT */
#include "uncaught.h"

#include "../lua/error.h"
#include "idle.h"

int dg_uncaught_handler(lua_State *L)
{
    dg_traceback(L, NULL, 1);
    dg_registry_set(L, DG_REGISTRY_TRACEBACK);
    return 1;
}

static void remember_uncaught(lua_State *L, dg_state *state, int error, int traceback)
{
    dg_registry_get(L, DG_REGISTRY_UNCAUGHT);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        dg_registry_set(L, DG_REGISTRY_UNCAUGHT);
    }
    lua_pushvalue(L, error);
    lua_rawseti(L, -2, (int)(2 * state->uncaught + 1));
    lua_pushvalue(L, traceback);
    lua_rawseti(L, -2, (int)(2 * state->uncaught + 2));
    state->uncaught++;
    if (state->running != 0)
        dg_idle_stop_loop(L);
}

/* Pushes the traceback for the handler. The traceback of an `error` event begins in the loop, so the place of the call
 * that failed stands above it. */
static void push_placed(lua_State *L, int error, int traceback)
{
    if (!lua_isstring(L, traceback) || !dg_error_push_place(L, error)) {
        lua_pushvalue(L, traceback);
        return;
    }
    lua_pushfstring(L, "%s the call that failed\n%s", lua_tostring(L, -1), lua_tostring(L, traceback));
    lua_remove(L, -2);
}

/* Arguments: the error that a callback raised, its traceback. Calls the handler, or keeps the error for dgram.run or
 * luv. */
static int take_error(lua_State *L)
{
    enum { ERROR = 1, TRACEBACK, MESSAGE_HANDLER };
    dg_state *state = dg_state_of(L);
    lua_settop(L, TRACEBACK);
    dg_registry_get(L, DG_REGISTRY_MESSAGE_HANDLER);
    dg_registry_get(L, DG_REGISTRY_HANDLER);
    if (lua_isfunction(L, -1)) {
        lua_pushvalue(L, ERROR);
        push_placed(L, ERROR, TRACEBACK);
        if (lua_pcall(L, 2, 0, MESSAGE_HANDLER) == 0)
            return 0;
        lua_replace(L, ERROR); /* the handler failed itself: that is the error now */
        dg_registry_get(L, DG_REGISTRY_TRACEBACK);
        lua_replace(L, TRACEBACK);
    }
    remember_uncaught(L, state, ERROR, TRACEBACK);
    return 0;
}

void dg_uncaught_take(lua_State *L, dg_state *state)
{
    /* This comes before the function is pushed, which allocates in Lua 5.1: finalizers may have errors of their own. */
    dg_registry_get(L, DG_REGISTRY_TRACEBACK);
    lua_pushnil(L); /* without memory the message handler does not run, and this one must not be the next error's */
    dg_registry_set(L, DG_REGISTRY_TRACEBACK);
    lua_pushcfunction(L, take_error);
    lua_insert(L, -3);
    if (lua_pcall(L, 2, 0, 0) != 0) {
        lua_pop(L, 1);
        state->dropped_errors++;
    }
}

static int push_error_text(lua_State *L)
{
    dg_tolstring(L, 1, NULL);
    if (dg_error_push_place(L, 1))
        lua_pushfstring(L, "%s %s", lua_tostring(L, -1), lua_tostring(L, -2));
    return 1;
}

/* Pushes the text of an error, whose __tostring may raise, with the place of the call that failed. */
static void push_protected_text(lua_State *L, int index)
{
    index = dg_absindex(L, index);
    lua_pushcfunction(L, push_error_text);
    lua_pushvalue(L, index);
    if (lua_pcall(L, 1, 1, 0) == 0)
        return;
    lua_pop(L, 1);
    lua_pushliteral(L, "(an error that has no text: its __tostring raises)");
}

/* Pushes the traceback of the first uncaught error, and the texts of the others. The list of errors is at `list`. */
static void push_full_traceback(lua_State *L, unsigned count, int list)
{
    lua_rawgeti(L, list, 2);
    if (!lua_isstring(L, -1)) {
        lua_pop(L, 1);
        lua_pushliteral(L, "(no traceback)");
    }
    for (unsigned i = 1; i < count; i++) {
        lua_rawgeti(L, list, (int)(2 * i + 1));
        push_protected_text(L, -1);
        lua_remove(L, -2);
        lua_pushfstring(L, "%s\nand then: %s", lua_tostring(L, -2), lua_tostring(L, -1));
        lua_replace(L, -3);
        lua_pop(L, 1);
    }
}

/* Pushes a text that stands for the errors that could not be kept. It contains Lua's own text of such an error. */
static void push_dropped_errors(lua_State *L, dg_state *state)
{
    state->dropped_errors = 0;
    lua_pushliteral(L, "not enough memory, or C stack overflow (there was no room to keep the errors of callbacks)");
}

int dg_uncaught_push(lua_State *L)
{
    dg_state *state = dg_state_of(L);
    if (state->dropped_errors != 0) {
        push_dropped_errors(L, state);
        dg_uncaught_take(L, state); /* there may be a handler, and memory by now */
    }
    unsigned count = state->uncaught;
    if (count == 0 && state->dropped_errors != 0) {
        push_dropped_errors(L, state);
        return 1;
    }
    if (count == 0)
        return 0;
    dg_registry_get(L, DG_REGISTRY_UNCAUGHT);
    int list = lua_gettop(L);
    state->uncaught = 0;
    lua_pushnil(L);
    dg_registry_set(L, DG_REGISTRY_UNCAUGHT);
    push_full_traceback(L, count, list);
    lua_rawgeti(L, list, 1);
    if (lua_type(L, -1) == LUA_TSTRING) {
        lua_pushfstring(L, "%s\n%s", lua_tostring(L, -1), lua_tostring(L, -2));
    } else if (lua_istable(L, -1) && lua_getmetatable(L, -1)) {
        dg_registry_get(L, DG_REGISTRY_ERROR);
        int ours = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
        if (ours) {
            lua_pushvalue(L, -2);
            lua_setfield(L, -2, "traceback");
        }
    }
    lua_replace(L, list);
    lua_settop(L, list);
    return 1;
}

/* luv prints the error, so it is raised as a string. */
int dg_uncaught_raise(lua_State *L, const dg_state *state)
{
    if (state->depth != 0 || state->running != 0 || !dg_uncaught_push(L))
        return 0;
    if (lua_isstring(L, -1))
        return lua_error(L);
    push_protected_text(L, -1);
    if (!lua_istable(L, -2))
        return lua_error(L);
    lua_pushliteral(L, "traceback"); /* of an error object of ours */
    lua_rawget(L, -3);
    if (lua_isstring(L, -1))
        lua_pushfstring(L, "%s\n%s", lua_tostring(L, -2), lua_tostring(L, -1));
    else
        lua_pop(L, 1);
    return lua_error(L);
}

/* core.finish(done, ...): takes the results of a protected call with the message handler. Returns what the call
 * returned, or handles the error that it raised. */
static int core_finish(lua_State *L)
{
    dg_state *state = dg_state_of(L);
    if (lua_toboolean(L, 1))
        return lua_gettop(L) - 1;
    lua_settop(L, 2);
    dg_uncaught_take(L, state);
    return dg_uncaught_raise(L, state);
}

/* core.failed(error, traceback): takes what a coroutine raised that one of dgram's callbacks has resumed. */
static int core_failed(lua_State *L)
{
    lua_settop(L, 2);
    dg_registry_set(L, DG_REGISTRY_TRACEBACK);
    dg_state *state = dg_state_of(L);
    dg_uncaught_take(L, state);
    return dg_uncaught_raise(L, state);
}

/* core.xpcall(function, message handler, ...), for Lua 5.1, whose own xpcall passes no arguments. */
static int core_xpcall(lua_State *L)
{
    lua_pushvalue(L, 2);
    lua_remove(L, 2);
    lua_insert(L, 1); /* handler, function, arguments */
    lua_pushboolean(L, lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 1) == 0);
    lua_replace(L, 1);
    return lua_gettop(L);
}

/* core.setUncaughtHandler(fn | nil) */
static int set_handler(lua_State *L)
{
    dg_error_surplus_function(L, 1);
    if (!lua_isnoneornil(L, 1) && !lua_isfunction(L, 1))
        dg_error_arg_type(L, 1, "fn", "a function or nil");
    lua_settop(L, 1);
    dg_registry_set(L, DG_REGISTRY_HANDLER);
    return 0;
}

void dg_uncaught_open(lua_State *L)
{
    lua_pushcfunction(L, dg_uncaught_handler);
    dg_registry_set(L, DG_REGISTRY_MESSAGE_HANDLER);
}

void dg_uncaught_add(lua_State *L)
{
    static const luaL_Reg core[] = {{"messageHandler", dg_uncaught_handler},
                                    {"finish", core_finish},
                                    {"failed", core_failed},
                                    {"xpcall", core_xpcall},
                                    {"setUncaughtHandler", set_handler},
                                    {NULL, NULL}};
    dg_setfuncs(L, core);
}
