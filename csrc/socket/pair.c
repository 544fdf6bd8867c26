/* SPDX-License-Identifier: MIT */
#include "pair.h"

#include <errno.h>

#include "../net/descriptor.h"
#include "../lua/error.h"
#include "connect.h"
#include "socket.h"
#include "watch.h"

/* Makes the socket one end of the pair; its descriptor keeps its number and its buffer sizes. */
static void take_end(dg_socket *s, int end)
{
    dg_descriptor_replace(s->fd, end);
    dg_descriptor_close(end);
    dg_descriptor_peer(s->fd, s->peer.address);
    s->peer.state = DG_CONNECTED;
    s->peer.serial++;
    s->local.state = DG_BOUND; /* it has no name, but it receives from its peer */
}

/* core.pair(socket, socket): connects two new Unix sockets to each other. socketpair(2) */
static int core_pair(lua_State *L)
{
    dg_socket *sockets[] = {lua_touserdata(L, 1), lua_touserdata(L, 2)};
    int ends[2];
    int status =
        dg_connect_make_peer(sockets[0]) && dg_connect_make_peer(sockets[1]) ? dg_descriptor_pair(ends) : -ENOMEM;
    if (status != 0)
        return dg_error_raise_system(L, status, "socketpair", NULL);
    for (int i = 0; i < 2; i++) {
        dg_os_ask(ends[i], AF_UNIX, sockets[i]->rx.asked.set, &sockets[i]->rx.asked); /* it was granted before */
        take_end(sockets[i], ends[i]);
    }
    for (int i = 0; i < 2; i++)
        dg_watch_update(L, i + 1, sockets[i]);
    return 0;
}

static const luaL_Reg core[] = {{"pair", core_pair}, {NULL, NULL}};

void dg_pair_open(lua_State *L)
{
    dg_socket_add(L, NULL, core);
}
