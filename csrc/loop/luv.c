/* SPDX-License-Identifier: MIT */
#include "luv.h"

#include "../lua/error.h"
#include "state.h"

/* lua_close finalizes everything, the youngest object first. So the finalizer of a sentinel that is younger than all of
 * luv's handles runs before any of them is freed, and notes that none may be touched any more. Each new handle gets a
 * new sentinel; the finalizer of an old one does nothing. */
static int sentinel_gc(lua_State *L)
{
    dg_state *state = dg_state_of(L);
    if (lua_touserdata(L, 1) == state->sentinel)
        state->luv_gone = 1;
    return 0;
}

static void guard(lua_State *L)
{
    void *sentinel = lua_newuserdata(L, 1);
    dg_registry_get(L, DG_REGISTRY_SENTINEL_META);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_createtable(L, 0, 1);
        lua_pushcfunction(L, sentinel_gc);
        lua_setfield(L, -2, "__gc");
        lua_pushvalue(L, -1);
        dg_registry_set(L, DG_REGISTRY_SENTINEL_META);
    }
    lua_setmetatable(L, -2);
    dg_state_of(L)->sentinel = sentinel;
    dg_registry_set(L, DG_REGISTRY_SENTINEL);
}

/* Returns whether the value on top of the stack is luv. */
static int is_luv(lua_State *L)
{
    if (!lua_istable(L, -1))
        return 0;
    lua_getfield(L, -1, "new_poll");
    int is = !lua_isnil(L, -1);
    lua_pop(L, 1);
    return is;
}

/* Returns luv or nothing. It is what the program has loaded, or Neovim's, or a module: `luv` (luarocks, Debian) or `uv`
 * (luvit). The global `vim` is read without metamethods, which may raise for undeclared globals. */
static int search(lua_State *L)
{
    static const char *const names[] = {"luv", "uv"}, *const fields[] = {"uv", "loop"};
    enum { LOADED = 1, GLOBALS, VIM };
    lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
    lua_getfield(L, LOADED, "_G");
    lua_pushliteral(L, "vim");
    lua_rawget(L, GLOBALS);
    for (int i = 0; i < 2; i++) {
        lua_getfield(L, LOADED, names[i]);
        if (is_luv(L))
            return 1;
    }
    for (int i = 0; i < 2 && lua_istable(L, VIM); i++) {
        lua_getfield(L, VIM, fields[i]);
        if (is_luv(L))
            return 1;
    }
    for (int i = 0; i < 2; i++) {
        lua_getglobal(L, "require");
        lua_pushstring(L, names[i]);
        if (lua_pcall(L, 1, 1, 0) == 0 && is_luv(L))
            return 1;
    }
    return 0;
}

/* Pushes luv or nil. luv always calls back on the thread that it was loaded on. That must not be a coroutine, because
 * coroutines end; so luv is loaded on the main thread. */
static void find_uv(lua_State *L, dg_state *state)
{
    lua_State *main = state->main != NULL ? state->main : L;
    luaL_checkstack(main, 10, "dgram");
    lua_pushcfunction(main, search);
    int status = lua_pcall(main, 0, 1, 0);
    if (status != 0) {
        lua_pop(main, 1);
        lua_pushnil(main);
    }
    state->luv_sought = status == 0;
    if (main != L)
        lua_xmove(main, L, 1);
}

/* Returns whether the program has loaded luv. Metamethods are not called. */
static int is_loaded(lua_State *L)
{
    static const char *const names[] = {"luv", "uv"};
    int top = lua_gettop(L), is = 0;
    lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
    for (int i = 0; i < 2 && !is; i++) {
        lua_pushstring(L, names[i]);
        lua_rawget(L, top + 1);
        if (lua_istable(L, -1)) {
            lua_pushliteral(L, "new_poll");
            lua_rawget(L, -2);
            is = !lua_isnil(L, -1);
        }
    }
    lua_settop(L, top);
    return is;
}

/* How far a search for luv goes. */
enum search { ONLY_LOADED, UNLESS_IN_VAIN, AGAIN };

/* Tells the sockets once that there is a loop. If that fails, for want of memory, the next call tries again. */
static void meet(lua_State *L, dg_state *state)
{
    luaL_checkstack(L, 2, "dgram");
    state->luv_met = 1;
    lua_pushcfunction(L, state->on_loop);
    if (lua_pcall(L, 0, 0, 0) == 0)
        return;
    state->luv_met = 0;
    lua_error(L);
}

/* Pushes luv's module table and returns 1, or pushes nothing and returns 0. After a search in vain it searches again
 * only where the call needs luv: there may be a descriptor for luv's file by now. */
static int push_uv(lua_State *L, enum search search)
{
    dg_state *state = dg_state_of(L);
    if (state->luv_gone)
        return 0;
    dg_registry_get(L, DG_REGISTRY_UV);
    if (lua_istable(L, -1)) {
        if (!state->luv_met)
            meet(L, state);
        return 1;
    }
    lua_pop(L, 1);
    if ((state->luv_sought && search != AGAIN) || (search == ONLY_LOADED && !is_loaded(L)))
        return 0;
    find_uv(L, state);
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        return 0;
    }
    lua_pushvalue(L, -1);
    dg_registry_set(L, DG_REGISTRY_UV);
    guard(L);
    meet(L, state);
    return 1;
}

void dg_luv_push(lua_State *L, const char *name)
{
    dg_registry_get(L, DG_REGISTRY_UV);
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
}

int dg_luv_ask(lua_State *L, const char *name)
{
    dg_luv_push(L, name);
    if (!lua_isfunction(L, -1)) {
        lua_pop(L, 1);
        return 0;
    }
    lua_call(L, 0, 1);
    return 1;
}

static int available(lua_State *L, enum search search)
{
    int found = push_uv(L, search);
    if (found)
        lua_pop(L, 1);
    return found;
}

int dg_luv_available(lua_State *L)
{
    return available(L, UNLESS_IN_VAIN);
}

int dg_luv_present(lua_State *L)
{
    return available(L, ONLY_LOADED);
}

void dg_luv_need(lua_State *L, const char *what)
{
    if (!available(L, AGAIN))
        dg_error_raise(L, "Error", "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM",
                       "%s needs an event loop: neither require \"luv\" nor require \"uv\" finds one. "
                       "Install luv (luarocks install luv, or Debian's lua-luv), or see dgram.setLoop",
                       what);
}

int dg_luv_is_neovims(lua_State *L)
{
    static const char *const fields[] = {"uv", "loop"};
    int top = lua_gettop(L), is = 0;
    lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
    lua_getfield(L, -1, "_G");
    lua_pushliteral(L, "vim");
    lua_rawget(L, -2);
    if (lua_istable(L, -1)) {
        lua_getfield(L, -1, "api");
        for (int i = 0; i < 2 && lua_istable(L, top + 4) && !is; i++) {
            lua_getfield(L, top + 3, fields[i]);
            dg_registry_get(L, DG_REGISTRY_UV);
            is = lua_rawequal(L, -1, -2);
        }
    }
    lua_settop(L, top);
    return is;
}

/* Is called after a call with three results. */
static void check_started(lua_State *L, const char *call)
{
    if (!lua_isnil(L, -3))
        return;
    const char *code = lua_tostring(L, -1);
    dg_error_raise(L, "Error", code != NULL ? code : "UNKNOWN", "%s %s", call, lua_tostring(L, -2));
}

void dg_luv_start(lua_State *L, const char *name, int arguments)
{
    lua_call(L, arguments, 3);
    check_started(L, name);
    lua_pop(L, 3);
}

void dg_luv_new(lua_State *L, const char *constructor, int arguments)
{
    dg_luv_push(L, constructor);
    lua_insert(L, -arguments - 1);
    lua_call(L, arguments, 3);
    check_started(L, constructor);
    lua_pop(L, 2);
    guard(L);
}

/* Returns whether luv has finalized the handle on top of the stack. Luv takes such a handle for none (1.44), or uses it
 * all the same, and crashes (1.51). A socket has one that is collected together with its handle, which the program had
 * closed. What luv leaves behind has no metatable, or no pointer in it. */
static int is_gone(lua_State *L)
{
    if (lua_type(L, -1) != LUA_TUSERDATA)
        return 0;
    if (!lua_getmetatable(L, -1))
        return 1;
    lua_pop(L, 1);
    return dg_rawlen(L, -1) >= sizeof(void *) && *(void **)lua_touserdata(L, -1) == NULL;
}

int dg_luv_is_closing(lua_State *L)
{
    if (is_gone(L))
        return 1;
    dg_luv_push(L, "is_closing");
    lua_pushvalue(L, -2);
    lua_call(L, 1, 1);
    int closing = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return closing;
}

void dg_luv_call(lua_State *L, const char *name)
{
    if (!dg_luv_is_closing(L)) {
        dg_luv_push(L, name);
        lua_pushvalue(L, -2);
        if (lua_isnil(L, -2)) /* timer_stop: the timer fires in vain */
            lua_pop(L, 2);
        else
            lua_call(L, 1, 0);
    }
    lua_pop(L, 1);
}

static void check_loop(lua_State *L, int index)
{
    static const char *const names[] = {"new_poll",  "poll_start", "poll_stop",   "new_idle", "idle_start",
                                        "idle_stop", "new_timer",  "timer_start", "close",    "is_closing",
                                        "ref",       "unref",      "run",         "stop"};
    if (!lua_istable(L, index))
        dg_error_arg_type(L, index, "loop", "a table");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        lua_getfield(L, index, names[i]);
        if (!lua_isfunction(L, -1))
            dg_error_raise(L, "TypeError", "ERR_INVALID_ARG_VALUE",
                           "The \"loop\" argument must have the function \"%s\", as luv has it", names[i]);
        lua_pop(L, 1);
    }
}

/* core.setLoop(loop) */
static int set_loop(lua_State *L)
{
    dg_error_surplus_function(L, 1);
    check_loop(L, 1);
    dg_state *state = dg_state_of(L);
    if (state->has_sockets || state->running != 0 || state->luv_gone)
        dg_error_raise(L, "Error", "ERR_INVALID_STATE",
                       "Invalid state: dgram.setLoop comes before the first socket is made");
    lua_settop(L, 1);
    dg_registry_set(L, DG_REGISTRY_UV);
    guard(L);
    return 0;
}

void dg_luv_add(lua_State *L)
{
    static const luaL_Reg core[] = {{"setLoop", set_loop}, {NULL, NULL}};
    dg_setfuncs(L, core);
}
