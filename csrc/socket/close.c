/* SPDX-License-Identifier: MIT */
#include "close.h"

#include <errno.h>
#include <stdlib.h>

#include "../net/descriptor.h"
#include "../lua/error.h"
#include "bind.h"
#include "connect.h"
#include "lanes.h"
#include "moderation.h"
#include "receive.h"
#include "report.h"
#include "send_queue.h"
#include "watch.h"
#include "work.h"

/* Removes the socket's file. Where other code has closed the descriptor, another file may have the inode by now, so the
 * file is left alone. */
static void remove_file(dg_socket *s)
{
    dg_address name;
    if (s->local.file.path != NULL && s->fd >= 0 && dg_descriptor_name(s->fd, &name) == 0)
        dg_unix_file_remove(&s->local.file);
    dg_unix_file_forget(&s->local.file);
}

void dg_close_finish(lua_State *L, int index, dg_socket *s)
{
    if (s->life != DG_CLOSING || s->watch.busy || dg_send_queue_waiting(s) != 0)
        return;
    if (s->fd >= 0) {
        dg_send_queue_unblock(s);
        remove_file(s);
        dg_receive_keep_dropped(s);
        dg_watch_release(L, index, s);
    }
    if (dg_report_pending(s) != 0 || s->tx.errors_in_making != 0)
        return;
    s->life = DG_CLOSED;
    dg_queue_free(&s->tx.queue);
    dg_lanes_free(s);
    lua_pushnil(L);
    dg_work_emit(L, index, "close");
    dg_socket_keep_alive(L, index, s);
}

/* What a Unix socket has left to send when it closes waits for peers. The peers may wait for room in this socket's
 * queue, which it does not read any more, so their sends have to fail. shutdown(2) does that, but it acts on the open
 * file: where others may have the file, too, this socket's own datagrams fail instead. */
static void refuse_senders(lua_State *L, int index, dg_socket *s)
{
    if (s->family != AF_UNIX || s->fd < 0 || dg_send_queue_waiting(s) == s->tx.awaiting_lookup)
        return;
    if (!s->local.shares_file && s->local.made_by == dg_descriptor_process())
        dg_descriptor_refuse_senders(s->fd);
    else
        dg_send_queue_give_up(L, index, s, -ECANCELED, 0);
}

unsigned dg_close_work(const dg_socket *s)
{
    return DG_WORK_CLOSE | (s->rx.has_calls ? (unsigned)DG_WORK_CALLS : 0);
}

void dg_close_begin(lua_State *L, int index, dg_socket *s)
{
    dg_getuservalue(L, index);
    dg_socket_target_nobody(L, lua_gettop(L));
    lua_pop(L, 1);
    s->life = DG_CLOSING;
    dg_bind_end_lookup(s);
    dg_connect_end_lookup(s);
    dg_receive_drop(s);
}

static void close_socket(lua_State *L, int index, dg_socket *s)
{
    dg_close_begin(L, index, s);
    /* What the kernel takes goes now, so that mostly the port is free when close() returns. */
    dg_work_add(L, index, s, DG_WORK_FLUSH | dg_close_work(s));
    dg_send_queue_flush_all(L, index, s);
    refuse_senders(L, index, s);
    dg_watch_update(L, index, s);
    dg_close_finish(L, index, s);
}

/* core.close(socket): stops receiving at once; what was accepted still goes out, then `close` is emitted. */
static int core_close(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    lua_settop(L, 1);
    close_socket(L, 1, s);
    return 1;
}

/* core.closePlain(socket, ...): closes if there is no argument; else returns nothing, and bind.lua does it. */
static int core_close_plain(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    if (lua_gettop(L) != 1)
        return 0;
    close_socket(L, 1, s);
    return 1;
}

/* core.discard(socket): closes a socket that the program has not got yet, without an event. */
static int core_discard(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    dg_watch_forget(L, 1, s);
    s->life = DG_CLOSED;
    return 0;
}

/* For Lua 5.4's to-be-closed variables. The socket may be closed already. */
static int socket_meta_close(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    if (s->life == DG_OPEN)
        close_socket(L, 1, s);
    return 0;
}

static int socket_gc(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    dg_moderation_forget(s);
    if (s->fd >= 0 && !s->tx.blocked) /* without a loop the program may not have flushed it */
        dg_transmit(&s->tx.transmitter, &s->tx.queue, s->fd);
    if (s->fd >= 0)
        dg_lanes_try(s);
    dg_lanes_free(s);
    dg_receive_end(s);
    remove_file(s);
    dg_watch_forget(L, 1, s);
    s->life = DG_CLOSED;
    s->tag = NULL;
    dg_queue_free(&s->tx.queue);
    free(s->peer.address);
    s->peer.address = NULL;
    return 0;
}

static int set_referenced(lua_State *L, int referenced)
{
    dg_socket *s = dg_socket_check(L);
    dg_error_surplus(L, 1);
    lua_settop(L, 1);
    dg_watch_set_referenced(s, referenced);
    if (!referenced && s->rx.moderated)
        dg_moderation_end(L, 1, s); /* the timer would keep the loop alive */
    dg_watch_update(L, 1, s);
    return 1;
}

/* socket:ref(), socket:unref(): set whether the bound socket keeps the loop alive (it does at first). Return the
 * socket. */
static int socket_ref(lua_State *L)
{
    return set_referenced(L, 1);
}

static int socket_unref(lua_State *L)
{
    return set_referenced(L, 0);
}

static const luaL_Reg methods[] = {{"ref", socket_ref}, {"unref", socket_unref}, {NULL, NULL}};
static const luaL_Reg metamethods[] = {{"__gc", socket_gc}, {"__close", socket_meta_close}, {NULL, NULL}};
static const luaL_Reg core[] = {
    {"close", core_close}, {"closePlain", core_close_plain}, {"discard", core_discard}, {NULL, NULL}};

void dg_close_open(lua_State *L)
{
    dg_socket_add_meta(L, metamethods);
    dg_socket_add(L, methods, core);
}
