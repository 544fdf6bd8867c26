/* SPDX-License-Identifier: MIT */
#include "detach.h"

#include <errno.h>

#include "../net/descriptor.h"
#include "../lua/error.h"
#include "close.h"
#include "receive.h"
#include "send_queue.h"
#include "watch.h"
#include "work.h"

/* Hands what waits to the kernel, and fails the rest with ECANCELED. */
static void empty_queue(lua_State *L, dg_socket *s)
{
    dg_send_queue_flush_all(L, 1, s);
    if (s->tx.awaiting_lookup != 0) {
        dg_registry_get(L, DG_REGISTRY_HOOKS);
        lua_getfield(L, -1, "cancelLookups");
        lua_pushvalue(L, 1);
        dg_socket_push_error(L, s, -ECANCELED, "send", NULL);
        lua_call(L, 2, 0);
    }
    dg_send_queue_give_up(L, 1, s, -ECANCELED, 0);
}

/* Takes the descriptor out of the socket. Returns its number, or a negative errno with nothing changed. libuv forgets
 * the number of a poll when that is closed, which is later: so what was watched goes on under another number. Allocates
 * nothing before the socket has lost the descriptor. */
static int take_descriptor(lua_State *L, dg_socket *s)
{
    int fd = s->watch.has_handle ? dg_descriptor_duplicate(s->fd) : s->fd;
    if (fd < 0)
        return fd;
    dg_close_begin(L, 1, s);
    dg_receive_keep_dropped(s);
    dg_unix_file_forget(&s->local.file); /* it is the file of whoever has the descriptor */
    if (fd == s->fd)
        s->fd = -1;
    else
        dg_watch_forget(L, 1, s);
    return fd;
}

/* Arguments: the socket, its light userdata. */
static int finish(lua_State *L)
{
    dg_close_finish(L, 1, lua_touserdata(L, 2));
    return 0;
}

/* socket:detach() -> the descriptor's number: takes the descriptor out of the socket, open, and closes the socket
 * without it. What is queued is flushed before, what is left fails with ECANCELED. Raises
 * ERR_SOCKET_DGRAM_NOT_RUNNING; EBUSY in a finalizer that runs while the loop begins to watch the socket; EMFILE. */
static int socket_detach(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    dg_error_surplus(L, 1);
    if (s->watch.busy || s->local.will_bind)
        return dg_error_raise_system(L, -EBUSY, "detach", NULL);
    int fd = dg_descriptor_duplicate(s->fd); /* whether there is a number left, before anything is given up */
    if (fd < 0)
        return dg_error_raise_system(L, fd, "fcntl", NULL);
    dg_descriptor_close(fd);
    dg_work_add(L, 1, s, dg_close_work(s)); /* if `finish` fails, for want of memory, the loop does the rest */
    do
        empty_queue(L, s);
    while (dg_send_queue_waiting(s) != 0 && s->life == DG_OPEN); /* again if a finalizer has sent meanwhile */
    lua_settop(L, 1);
    lua_pushcfunction(L, finish);
    lua_pushvalue(L, 1);
    lua_pushlightuserdata(L, s);
    if (s->life != DG_OPEN) /* a finalizer has closed it */
        dg_socket_raise_closed(L);
    fd = take_descriptor(L, s);
    if (fd < 0)
        return dg_error_raise_system(L, fd, "fcntl", NULL);
    if (s->kept_alive) /* again, because a finalizer may have run the loop */
        dg_work_mark(s, dg_close_work(s));
    if (lua_pcall(L, 2, 0, 0) != 0)
        lua_pop(L, 1);
    lua_pushinteger(L, fd);
    return 1;
}

static const luaL_Reg methods[] = {{"detach", socket_detach}, {NULL, NULL}};

void dg_detach_open(lua_State *L)
{
    dg_socket_add(L, methods, NULL);
}
