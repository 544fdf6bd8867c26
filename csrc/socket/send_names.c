/* SPDX-License-Identifier: MIT */
#include "send_names.h"

#include <errno.h>

#include "../lua/error.h"
#include "../lua/registry.h"
#include "send_many.h"
#include "send_options.h"
#include "send_queue.h"
#include "watch.h"
#include "work.h"

dg_payloads dg_send_names_copy(lua_State *L)
{
    dg_payloads copy = {0, dg_rawlen(L, 2), 0};
    lua_createtable(L, (int)copy.count, 0);
    copy.index = lua_gettop(L);
    for (size_t i = 1; i <= copy.count; i++) {
        if (dg_rawgeti(L, 2, i) != LUA_TSTRING) {
            lua_pop(L, 1);
            lua_pushliteral(L, "");
        }
        copy.bytes += dg_rawlen(L, -1);
        lua_rawseti(L, copy.index, (int)i);
    }
    return copy;
}

static void push_or_nil(lua_State *L, int index)
{
    if (index != 0)
        lua_pushvalue(L, index);
    else
        lua_pushnil(L);
}

/* Arguments: those of the hook, the socket first. */
static int start_look_up(lua_State *L)
{
    dg_watch_update(L, 1, lua_touserdata(L, 1));
    dg_registry_get(L, DG_REGISTRY_HOOKS);
    lua_getfield(L, -1, "sendToName");
    lua_insert(L, 1);
    lua_pop(L, 1);
    lua_call(L, lua_gettop(L) - 1, 2);
    return 2;
}

/* Has the name looked up. lookup.lua calls core.sendResolved with the answer and what is at payloads->index. */
static void await_lookup(lua_State *L, dg_socket *s, const dg_arguments *arguments, const dg_send_options *options,
                         const dg_payloads *payloads)
{
    lua_pushcfunction(L, start_look_up);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, payloads->index);
    lua_pushinteger(L, (lua_Integer)arguments->port);
    lua_pushvalue(L, arguments->address);
    push_or_nil(L, arguments->callback);
    if (options->set != 0)
        lua_pushlstring(L, (const char *)options, sizeof *options);
    else
        lua_pushnil(L);
    s->tx.awaiting_lookup += (unsigned)payloads->count;
    s->tx.awaiting_bytes += (size_t)payloads->bytes;
    dg_queue_revoke(&s->tx.queue); /* what waits for the look-up counts against the limit */
    if (lua_pcall(L, 6, 2, 0) == 0) {
        if (lua_toboolean(L, -2)) /* it was answered, and does not count any more, but could not be reported */
            lua_error(L);
        lua_pop(L, 2);
        return;
    }
    s->tx.awaiting_lookup -= (unsigned)payloads->count;
    s->tx.awaiting_bytes -= (size_t)payloads->bytes;
    dg_watch_update(L, 1, s);
    lua_error(L);
}

int dg_send_names(lua_State *L, dg_socket *s, const dg_arguments *arguments, const dg_send_options *options,
                  const dg_payloads *payloads, size_t value)
{
    int status = dg_send_queue_admit(L, s, payloads->count == 1 ? (size_t)payloads->bytes : 0, NULL);
    if (status == 0 && dg_send_queue_is_over(s, payloads->count, payloads->bytes))
        status = DG_OVER_LIMIT;
    if (s->fd < 0) /* a finalizer has closed the socket meanwhile */
        status = -ECANCELED;
    if (status != 0) {
        /* A list is refused as a whole; the last datagram is counted by dg_send_queue_fail. */
        dg_send_queue_count_errors(s, payloads->count - 1);
        return dg_send_queue_fail(L, s, status, NULL, arguments->callback, value);
    }
    await_lookup(L, s, arguments, options, payloads);
    return dg_send_queue_has_room(s);
}

/* Returns the payloads of the string or list at index 2, counted as before the look-up. */
static dg_payloads stored_payloads(lua_State *L)
{
    dg_payloads payloads = {2, 1, dg_rawlen(L, 2)};
    if (!lua_istable(L, 2))
        return payloads;
    payloads.count = dg_rawlen(L, 2);
    payloads.bytes = 0;
    for (size_t i = 1; i <= payloads.count; i++) {
        lua_rawgeti(L, 2, (int)i);
        payloads.bytes += dg_rawlen(L, -1);
        lua_pop(L, 1);
    }
    return payloads;
}

/* Reports that the payloads fail with the error on top of the stack. */
static void fail(lua_State *L, dg_socket *s, const dg_payloads *payloads)
{
    dg_send_queue_count_errors(s, payloads->count);
    dg_work_fail(L, 1, 5, lua_istable(L, 2) ? 0 : (lua_Integer)payloads->bytes);
}

/* Stores the address that was found, which lookup.lua has checked, and the options. Returns what dg_route_fit does. */
static int take_route(lua_State *L, const dg_socket *s, dg_route *out)
{
    out->options.set = 0;
    dg_address_parse(&out->to, s->family, dg_socket_maps(s), luaL_checkstring(L, 4), (unsigned)luaL_checkinteger(L, 3));
    if (dg_rawlen(L, 7) == sizeof out->options)
        memcpy(&out->options, lua_tostring(L, 7), sizeof out->options);
    return dg_route_fit(out, NULL);
}

static void send_to_answer(lua_State *L, dg_socket *s, const dg_payloads *payloads)
{
    dg_payload payload = {2, 0, NULL, 0};
    dg_route route;
    int callback = lua_isfunction(L, 5) ? 5 : 0, status = take_route(L, s, &route);
    if (status != 0) {
        dg_error_push_advised(L, status, "send", &route.to, dg_send_options_unfit());
        fail(L, s, payloads);
    } else if (lua_istable(L, 2)) {
        dg_send_many(L, s, 2, &route, callback);
    } else {
        payload.text = lua_tolstring(L, 2, &payload.length);
        dg_send_queue_send(L, s, &payload, &route, callback);
    }
}

/* Reports payloads that were given up while the name was looked up, if there is a callback. */
static void report_cancelled(lua_State *L, dg_socket *s, const dg_payloads *payloads)
{
    if (!lua_isfunction(L, 5)) {
        dg_send_queue_count_errors(s, payloads->count);
        return;
    }
    dg_socket_push_error(L, s, -ECANCELED, "send", NULL);
    fail(L, s, payloads);
}

/* core.sendResolved(socket, msg | list, port, address, callback, error, options): sends what has waited for a look-up.
 * address nil: it failed, with this error object; false: it was given up. The socket may be closing by now. */
static int core_send_resolved(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    lua_settop(L, 7);
    dg_payloads payloads = stored_payloads(L);
    s->tx.awaiting_lookup -= (unsigned)payloads.count;
    s->tx.awaiting_bytes -= (size_t)payloads.bytes;
    if (s->life == DG_CLOSED) /* the socket was finalized, because the Lua state is being closed */
        return 0;
    if (lua_isboolean(L, 4)) {
        report_cancelled(L, s, &payloads);
    } else if (lua_isnil(L, 4)) {
        lua_pushvalue(L, 6);
        fail(L, s, &payloads);
    } else {
        send_to_answer(L, s, &payloads);
    }
    dg_send_queue_emit_drain(L, 1, s);
    if (s->life == DG_CLOSING)
        dg_work_add(L, 1, s, DG_WORK_FLUSH | DG_WORK_CLOSE);
    dg_watch_update(L, 1, s);
    return 0;
}

static const luaL_Reg core[] = {{"sendResolved", core_send_resolved}, {NULL, NULL}};

void dg_send_names_open(lua_State *L)
{
    dg_socket_add(L, NULL, core);
}
