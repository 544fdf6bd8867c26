/* SPDX-License-Identifier: MIT */
#include "connect.h"

#include <errno.h>
#include <stdlib.h>

#include "../net/blocklist.h"
#include "../net/descriptor.h"
#include "../lua/error.h"
#include "bind.h"
#include "receive.h"
#include "send_queue.h"
#include "watch.h"
#include "work.h"

/* Reports the pending error, which is the old peer's or nobody's. It must not be reported as the new peer's. */
static void take_pending_error(lua_State *L, dg_socket *s)
{
    int error = s->rx.hears_errors ? 0 : dg_descriptor_take_error(s->fd); /* what is queued tells its own address */
    if (error == 0)
        return;
    dg_socket_push_error(L, s, error, "recvmsg", NULL);
    dg_work_emit(L, 1, "error");
}

int dg_connect_make_peer(dg_socket *s)
{
    if (s->peer.address == NULL)
        s->peer.address = malloc(sizeof *s->peer.address);
    return s->peer.address != NULL;
}

/* Notes the peer's address as the kernel writes it, because its datagrams come with that address. */
static void note_peer(dg_socket *s, const dg_address *wanted)
{
    if (dg_descriptor_peer(s->fd, s->peer.address) != 0)
        dg_address_copy(s->peer.address, wanted);
}

static int has_zone(const dg_address *address)
{
    return address->length != 0 && address->u.any.sa_family == AF_INET6 && address->u.in6.sin6_scope_id != 0;
}

/* core.connect(socket, port | nil, address | nil): returns dg_bind_answer's values. What is queued is flushed first, so
 * it goes to its own destination. */
static int core_connect(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    dg_address address;
    unsigned port;
    int status = dg_bind_parse(L, s, &address, &port, dg_address_loopback);
    if (status != 0)
        return dg_bind_answer(L, status, "connect", NULL, port);
    if (s->tx.block_list != NULL && dg_blocklist_has(s->tx.block_list, &address)) {
        lua_pushnil(L);
        dg_error_push_blocked(L, &address);
        return 2;
    }
    status = dg_bind_bind_any(L, 1, s);
    if (status != 0)
        return dg_bind_answer(L, status, "bind", &address, port);
    dg_send_queue_flush(L, 1, s);
    take_pending_error(L, s);
    if (has_zone(&address))
        s->local.device = dg_descriptor_device(s->fd);
    status = dg_connect_make_peer(s) ? dg_descriptor_connect(s->fd, &address) : -ENOMEM;
    if (status == 0) {
        s->peer.state = DG_CONNECTED;
        s->peer.serial++;
        dg_receive_expect_strangers(s, 1);
        note_peer(s, &address);
        lua_pushnil(L);
        dg_work_emit(L, 1, "connect");
    }
    return dg_bind_answer(L, status, "connect", &address, port);
}

dg_socket *dg_connect_check(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    dg_error_surplus(L, 1);
    if (s->peer.state != DG_CONNECTED)
        dg_error_raise(L, "Error", "ERR_SOCKET_DGRAM_NOT_CONNECTED", "Not connected");
    return s;
}

/* When a socket disconnects, Linux also unbinds it from its interface, takes the zone from its address, and takes an
 * ephemeral port. This function gives all three back. Before Linux 5.7 binding to an interface takes privileges;
 * without them it stays lost. If another socket has taken the port meanwhile, the socket is unbound. */
static int disconnect(dg_socket *s)
{
    dg_address before, after;
    int known = dg_descriptor_name(s->fd, &before);
    /* connect(2) to a peer with a zone has bound the socket to that interface: the one before is given back. */
    unsigned device = has_zone(s->peer.address) ? s->local.device : dg_descriptor_device(s->fd);
    int status = dg_descriptor_disconnect(s->fd);
    if (status != 0 || known != 0 || s->family == AF_UNIX || dg_descriptor_name(s->fd, &after) != 0)
        return status;
    if (dg_address_lacks_zone(&after)) {
        device = before.u.in6.sin6_scope_id;
        after.u.in6.sin6_scope_id = device;
    }
    if (device != 0)
        dg_descriptor_set_device(s->fd, device);
    if (dg_address_port(&after) != 0)
        return 0;
    dg_address_set_port(&after, dg_address_port(&before));
    status = dg_descriptor_bind(s->fd, &after);
    s->local.state = status == 0 ? DG_BOUND : DG_UNBOUND;
    return status;
}

/* socket:disconnect(): what was sent before still goes to the old peer. connect(2) with AF_UNSPEC
 * Raises ERR_SOCKET_DGRAM_NOT_CONNECTED. */
static int socket_disconnect(lua_State *L)
{
    dg_socket *s = dg_connect_check(L);
    dg_send_queue_flush(L, 1, s);
    dg_queue_name_peer(&s->tx.queue, s->peer.address);
    if (s->family == AF_UNIX) { /* what the peer had no room for moves to a lane, in front of what is sent there next */
        dg_send_queue_unblock(s);
        dg_send_queue_flush(L, 1, s);
    }
    int status = disconnect(s);
    dg_address peer;
    take_pending_error(L, s);
    s->peer.serial++;
    dg_receive_expect_strangers(s, 0);
    s->peer.state = dg_descriptor_peer(s->fd, &peer) == 0 ? DG_CONNECTED : DG_NO_PEER;
    if (s->local.state != DG_BOUND)
        dg_watch_update(L, 1, s);
    return status == 0 ? 0 : dg_error_raise_system(L, status, "disconnect", NULL);
}

/* core.setConnecting(socket, boolean) */
static int core_set_connecting(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    if (lua_toboolean(L, 2))
        s->peer.state = DG_CONNECTING;
    else
        dg_connect_end_lookup(s);
    dg_watch_update(L, 1, s);
    return 0;
}

/* socket:remoteAddress() -> {address, family, port} of the peer, for unix_dgram {address, family}. getpeername(2)
 * Raises ERR_SOCKET_DGRAM_NOT_CONNECTED. */
static int socket_remote_address(lua_State *L)
{
    dg_socket *s = dg_connect_check(L);
    dg_address peer;
    int status = dg_descriptor_peer(s->fd, &peer);
    if (status != 0)
        return dg_error_raise_system(L, status, "getpeername", NULL);
    return dg_bind_push_address(L, &peer);
}

static const luaL_Reg methods[] = {
    {"remoteAddress", socket_remote_address},
    {"disconnect", socket_disconnect},
    {NULL, NULL},
};

static const luaL_Reg core[] = {{"connect", core_connect}, {"setConnecting", core_set_connecting}, {NULL, NULL}};

void dg_connect_open(lua_State *L)
{
    dg_socket_add(L, methods, core);
}
