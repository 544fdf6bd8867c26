/* SPDX-License-Identifier: MIT */
#include "icmp.h"

#include <errno.h>

#include "../net/error_queue.h"
#include "../lua/error.h"
#include "work.h"

enum { MOST_EVENTS = 64 }; /* deferred events of the state, above which no more errors are read */

void dg_icmp_set(lua_State *L, const dg_socket *s, int fd, int family)
{
    int status = s->rx.hears_errors ? dg_os_hear_errors(fd, family) : 0;
    if (status != 0)
        dg_error_raise_advised(L, status, "setsockopt",
                               status == -ENOTSUP ? "this system does not tell ICMP errors (recvErrors)" : NULL);
}

static void set_integer(lua_State *L, const char *name, uint32_t value)
{
    lua_pushinteger(L, (lua_Integer)(value < INT32_MAX ? value : INT32_MAX));
    lua_setfield(L, -2, name);
}

/* What advice says of the other errors is true of this machine only. */
static void push_error(lua_State *L, const dg_socket *s, const dg_icmp_error *found)
{
    char offender[DG_ADDRESS_TEXT];
    size_t length = found->offender.length != 0 ? dg_address_format(&found->offender, offender) : 0;
    if (found->error == -ECONNREFUSED)
        dg_socket_push_error(L, s, found->error, "recvmsg", &found->to);
    else
        dg_error_push_system(L, found->error, "recvmsg", &found->to);
    set_integer(L, "icmpType", found->type);
    set_integer(L, "icmpCode", found->code);
    if (found->mtu != 0)
        set_integer(L, "mtu", found->mtu);
    if (length == 0)
        return;
    lua_pushlstring(L, offender, length);
    lua_setfield(L, -2, "offender");
}

/* Pushes the next kept error's object; returns 0 and pushes nothing if there is none. */
static int push_kept(lua_State *L, const dg_socket *s)
{
    dg_icmp_error found;
    if (!s->rx.hears_errors || dg_error_queue_take(s->fd, &found) <= 0)
        return 0;
    push_error(L, s, &found);
    return 1;
}

int dg_icmp_report(lua_State *L, int index, dg_socket *s)
{
    int count = 0;
    index = dg_absindex(L, index);
    if (!s->rx.hears_errors)
        return 0;
    if (dg_work_deferred(s->state) >= MOST_EVENTS)
        return 1;
    while (dg_work_deferred(s->state) < MOST_EVENTS && count < MOST_EVENTS && push_kept(L, s)) {
        dg_work_emit(L, index, "error");
        count++;
    }
    return count != 0;
}

static int push_other(lua_State *L, const dg_socket *s, int error)
{
    if (s->rx.hears_errors && dg_transmit_may_be_late(&s->tx.transmitter, error))
        return 0;
    dg_socket_push_error(L, s, error, "recvmsg", NULL);
    return 1;
}

void dg_icmp_report_or(lua_State *L, int index, dg_socket *s, int error)
{
    if (!dg_icmp_report(L, index, s) && push_other(L, s, error))
        dg_work_emit(L, index, "error");
}

int dg_icmp_push_or(lua_State *L, const dg_socket *s, int error)
{
    return push_kept(L, s) || push_other(L, s, error);
}

/* core.hearErrors(socket): the option recvErrors, for a new socket. */
static int core_hear_errors(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    s->rx.hears_errors = 1;
    dg_icmp_set(L, s, s->fd, s->family);
    s->tx.transmitter.hears_late = DG_HEARS_ALL;
    return 0;
}

static const luaL_Reg core[] = {{"hearErrors", core_hear_errors}, {NULL, NULL}};

void dg_icmp_open(lua_State *L)
{
    dg_socket_add(L, NULL, core);
}
