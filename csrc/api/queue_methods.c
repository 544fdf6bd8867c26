/* SPDX-License-Identifier: MIT */
#include "queue_methods.h"

#include <errno.h>

#include "../lua/error.h"
#include "../socket/close.h"
#include "../socket/report.h"
#include "../socket/send_queue.h"
#include "../socket/watch.h"
#include "../socket/work.h"

/* socket:flush() -> whether all of the queue has gone to the kernel. It goes now, and not in the idle callback. */
static int socket_flush(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    dg_error_surplus(L, 1);
    dg_send_queue_flush_all(L, 1, s);
    if (dg_report_pending(s) != 0)
        dg_work_add(L, 1, s, DG_WORK_REPORT);
    lua_pushboolean(L, dg_send_queue_waiting(s) == 0);
    return 1;
}

/* socket:discard() -> how many datagrams: gives up what waits to be sent, look-ups included. Each callback gets
 * ECANCELED; those without one are counted in sendErrors. `drain` comes. */
static int socket_discard(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    dg_error_surplus(L, 1);
    size_t lookups = s->tx.awaiting_lookup;
    if (lookups != 0) {
        dg_registry_get(L, DG_REGISTRY_HOOKS);
        lua_getfield(L, -1, "cancelLookups");
        lua_pushvalue(L, 1);
        lua_call(L, 1, 0); /* calls core.sendResolved for each */
    }
    size_t count = lookups - s->tx.awaiting_lookup + dg_send_queue_give_up(L, 1, s, -ECANCELED, 1);
    if (s->life == DG_CLOSING) {
        dg_work_add(L, 1, s, DG_WORK_CLOSE);
        dg_close_finish(L, 1, s); /* nothing waits now, so the descriptor is closed within the call */
    }
    dg_watch_update(L, 1, s);
    lua_pushinteger(L, (lua_Integer)count);
    return 1;
}

/* core.cancelQueue(socket): the bind that the queued datagrams waited for failed, so each fails with ECANCELED. */
static int core_cancel_queue(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    dg_send_queue_count_errors(s, dg_queue_count(&s->tx.queue));
    while (dg_queue_count(&s->tx.queue) != 0)
        dg_queue_failed(&s->tx.queue, -ECANCELED);
    dg_send_queue_emit_drain(L, 1, s);
    dg_work_add(L, 1, s, DG_WORK_REPORT);
    return 0;
}

/* socket:getSendQueueSize(): bytes that are accepted and not yet handed to the kernel. */
static int socket_get_send_queue_size(lua_State *L)
{
    const dg_socket *s = dg_socket_check(L);
    dg_error_surplus(L, 1);
    lua_pushinteger(L, (lua_Integer)(dg_queue_bytes(&s->tx.queue) + s->tx.awaiting_bytes + dg_lanes_bytes(s)));
    return 1;
}

/* socket:getSendQueueCount(): datagrams likewise. */
static int socket_get_send_queue_count(lua_State *L)
{
    const dg_socket *s = dg_socket_check(L);
    dg_error_surplus(L, 1);
    lua_pushinteger(L, (lua_Integer)(dg_send_queue_waiting(s) - s->tx.queue.refused));
    return 1;
}

static const luaL_Reg methods[] = {
    {"flush", socket_flush},
    {"discard", socket_discard},
    {"getSendQueueSize", socket_get_send_queue_size},
    {"getSendQueueCount", socket_get_send_queue_count},
    {NULL, NULL},
};

static const luaL_Reg core[] = {{"cancelQueue", core_cancel_queue}, {NULL, NULL}};

void dg_queue_methods_open(lua_State *L)
{
    dg_socket_add(L, methods, core);
}
