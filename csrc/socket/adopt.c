/* SPDX-License-Identifier: MIT */
#include "adopt.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "../net/descriptor.h"
#include "../lua/error.h"
#include "asked.h"
#include "bind.h"
#include "buffers.h"
#include "connect.h"
#include "icmp.h"
#include "intake.h"
#include "watch.h"
#include "work.h"

static void take_descriptor(dg_socket *s, int fd, const dg_descriptor_facts *facts)
{
    s->fd = fd;
    s->local.shares_file = 1;
    s->family = facts->family;
    s->v6only = (unsigned char)facts->v6only;
    s->peer.state = facts->connected && dg_descriptor_peer(fd, s->peer.address) == 0 ? DG_CONNECTED : DG_NO_PEER;
    memset(&s->tx.transmitter.offloads, 0, sizeof s->tx.transmitter.offloads);
    s->tx.transmitter.hears_late = s->family == AF_UNIX ? DG_HEARS_NONE
                                   : s->rx.hears_errors ? DG_HEARS_ALL
                                                        : DG_HEARS_HARD;
    if (s->family != AF_UNIX)
        dg_os_offloads(fd, &s->tx.transmitter.offloads);
    if (!s->may_segment)
        s->tx.transmitter.offloads.segments = 0;
    s->tx.transmitter.offloads.can_coalesce = 0; /* the others who have the descriptor do not expect UDP_GRO */
    s->tx.transmitter.offloads.shared = 1;
}

/* A bind that failed has left a stopped poll, which keeps the descriptor's number taken until it is closed. So the
 * socket goes on with another number. Returns 0 or a negative errno. */
static int leave_poll(lua_State *L, dg_socket *s)
{
    if (!s->watch.has_handle)
        return 0;
    int fd = dg_descriptor_duplicate(s->fd);
    if (fd < 0)
        return fd;
    dg_watch_release(L, 1, s);
    s->fd = fd;
    if (s->rx.has_deadline) /* its timer went with the poll: a new one is to be asked for */
        dg_work_add(L, 1, s, DG_WORK_CALLS);
    return 0;
}

/* Puts the descriptor in the place of the socket's own one. Raises where luv does not watch it, because other code has
 * a handle for it; then nothing has changed. */
static void exchange_descriptor(lua_State *L, dg_socket *s, int fd, const dg_descriptor_facts *facts)
{
    const dg_offloads offloads = s->tx.transmitter.offloads;
    const unsigned char shares_file = s->local.shares_file;
    int own = s->fd, has_event = 0;
    dg_descriptor_facts before;
    dg_descriptor_inspect(own, &before);
    take_descriptor(s, fd, facts);
    s->local.state = facts->bound ? DG_BOUND : DG_UNBOUND;
    if (facts->bound && !dg_bind_prepare(L, 1, s, &has_event)) {
        s->local.state = DG_UNBOUND;
        take_descriptor(s, own, &before);
        s->tx.transmitter.offloads = offloads;
        s->local.shares_file = shares_file;
        dg_queue_revoke(&s->tx.queue); /* a finalizer may have sent meanwhile */
        dg_watch_abandon(L, 1, s);
        lua_error(L);
    }
    if (facts->bound)
        dg_work_commit(s, has_event);
    dg_descriptor_close(own); /* nothing watches it: the socket was unbound */
    dg_watch_update(L, 1, s);
}

/* core.adopt(socket, fd [, receive] [, send] [, interface] [, multicastAll]): puts an open descriptor in the place of
 * the socket's own, with these options; returns whether it is bound. Raises ERR_INVALID_FD_TYPE,
 * ERR_SOCKET_ALREADY_BOUND, EBADF, ERR_SOCKET_BUFFER_SIZE, or what dg_intake_set, dg_icmp_set and dg_asked_set do. */
static int core_adopt(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    int64_t number;
    int fd = dg_isinteger(L, 2, &number) && number >= 0 && number <= INT_MAX ? (int)number : -1;
    dg_descriptor_facts facts;
    if (s->local.state != DG_UNBOUND || s->watch.busy ||
        s->local.will_bind) /* a finalizer may have bound it since the caller looked */
        return dg_error_raise(L, "Error", "ERR_SOCKET_ALREADY_BOUND", "Socket is already bound");
    int status = fd == s->fd ? -EBADF : dg_descriptor_inspect(fd, &facts);
    if (status == -ENOTSOCK)
        return dg_error_raise(L, "TypeError", "ERR_INVALID_FD_TYPE",
                              "Unsupported descriptor: %d is no datagram socket (UDP or Unix)", fd);
    if (status == 0 && !dg_connect_make_peer(s))
        status = -ENOMEM;
    if (status == 0)
        status = leave_poll(L, s);
    if (status == 0)
        status = dg_descriptor_adopt(fd);
    if (status != 0)
        return dg_error_raise_system(L, status, "bind", NULL);
    dg_buffers_set(L, 3, fd, facts.family);
    dg_intake_set(L, 5, fd, facts.family);
    dg_icmp_set(L, s, fd, facts.family);
    dg_asked_set(L, s, fd, facts.family);
    exchange_descriptor(L, s, fd, &facts);
    lua_pushboolean(L, facts.bound);
    return 1;
}

static const luaL_Reg core[] = {{"adopt", core_adopt}, {NULL, NULL}};

void dg_adopt_open(lua_State *L)
{
    dg_socket_add(L, NULL, core);
}
