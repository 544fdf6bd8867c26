/* SPDX-License-Identifier: MIT */
#include "create.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "../net/descriptor.h"
#include "../net/option.h"
#include "../lua/error.h"
#include "socket.h"
#include "watch.h"

enum {
    QUEUE_LIMIT = 16 * 1024 * 1024, /* bytes */
    SLOTS_AT_FIRST = 4, /* slots of the first receive: a loop that was asleep often finds so many datagrams */
};

/* When UDP_GRO is turned on. */
enum coalescing { NEVER, AT_ONCE, WHEN_IT_PAYS };

typedef struct creation {
    int family, reuse_address, reuse_port, v6only, segment;
    enum coalescing coalescing;
} creation;

static int apply_creation(dg_socket *s, const creation *wanted)
{
    int status = 0;
    s->local.clears_dead = (unsigned char)wanted->reuse_address;
    if (s->family == AF_UNIX)
        return 0;
    if (s->family == AF_INET6) /* it is set either way, so that the system's default (bindv6only) does not matter */
        status = dg_option_set_ipv6_only(s->fd, s->family, wanted->v6only);
    if (status == 0 && wanted->reuse_address)
        status = dg_option_set_reuse_address(s->fd, s->family, 1);
    if (status == 0 && wanted->reuse_port)
        status = dg_option_set_reuse_port(s->fd, s->family, 1);
    return status;
}

static void set_up_offloads(dg_socket *s, const creation *wanted)
{
    dg_offloads *offloads = &s->tx.transmitter.offloads;
    if (s->family == AF_UNIX)
        return;
    dg_os_offloads(s->fd, offloads);
    if (!wanted->segment)
        offloads->segments = 0;
    if (wanted->coalescing == AT_ONCE)
        dg_os_coalesce(s->fd, offloads);
    if (wanted->coalescing != WHEN_IT_PAYS) /* else receive.c turns it on */
        offloads->can_coalesce = 0;
    s->tx.transmitter.hears_late = DG_HEARS_HARD;
}

static void open_descriptor(lua_State *L, dg_socket *s, const creation *wanted)
{
    int fd = dg_watch_open(L, -1, s);
    if (fd < 0)
        dg_error_raise_system(L, fd, "socket", NULL);
    s->fd = fd;
    s->state->has_sockets = 1;
    s->local.made_by = dg_descriptor_process();
    s->v6only = (unsigned char)wanted->v6only;
    s->may_segment = (unsigned char)wanted->segment;
    int status = apply_creation(s, wanted);
    if (status == 0) {
        set_up_offloads(s, wanted);
        s->life = DG_OPEN;
        return;
    }
    dg_watch_forget(L, -1, s);
    dg_error_raise_advised(L, status, "setsockopt",
                           status == -ENOTSUP ? "this system does not spread datagrams (reusePort)" : NULL);
}

/* Makes and pushes the userdata, as a closed socket: its finalizer has nothing to do if a later step fails. */
static dg_socket *new_socket(lua_State *L, int family)
{
    dg_state *state = dg_state_of(L);
    dg_socket *s = dg_newuserdata(L, sizeof *s, DG_SLOTS_AT_FIRST);
    lua_pop(L, 1);
    memset(s, 0, sizeof *s);
    s->tag = &dg_socket_tag;
    s->state = state;
    s->fd = -1;
    s->family = family;
    s->life = DG_CLOSED;
    s->rx.want = SLOTS_AT_FIRST;
    s->tx.limit = QUEUE_LIMIT;
    dg_queue_init(&s->tx.queue, &state->spare);
    dg_registry_get(L, DG_REGISTRY_METATABLE);
    lua_setmetatable(L, -2);
    int index = lua_gettop(L);
    dg_registry_get(L, DG_REGISTRY_SOCKETS);
    lua_pushvalue(L, index);
    dg_rawsetp(L, -2, s);
    lua_settop(L, index);
    return s;
}

static enum coalescing check_coalescing(lua_State *L, int index)
{
    if (lua_isnoneornil(L, index))
        return WHEN_IT_PAYS;
    return lua_toboolean(L, index) ? AT_ONCE : NEVER;
}

/* core.open(family, reuseAddr, reusePort, ipv6Only, gso, gro | nil): family is 4, 6, or 0 for Unix. Returns the socket,
 * which has its descriptor. */
static int core_open(lua_State *L)
{
    lua_Integer family = luaL_checkinteger(L, 1);
    creation wanted = {AF_INET,
                       lua_toboolean(L, 2),
                       lua_toboolean(L, 3),
                       lua_toboolean(L, 4),
                       lua_toboolean(L, 5),
                       check_coalescing(L, 6)};
    if (family != 4)
        wanted.family = family == 6 ? AF_INET6 : AF_UNIX;
    open_descriptor(L, new_socket(L, wanted.family), &wanted);
    return 1;
}

static const luaL_Reg core[] = {{"open", core_open}, {NULL, NULL}};

void dg_create_open(lua_State *L)
{
    dg_socket_add(L, NULL, core);
}
