/* SPDX-License-Identifier: MIT */
#include "create.h"

#include <string.h>

#include "../net/descriptor.h"
#include "../net/option.h"
#include "error.h"
#include "socket.h"

typedef struct creation {
    int reuse_address, reuse_port, v6only;
} creation;

static int apply_creation(const dg_socket *s, const creation *wanted)
{
    int status = 0;
    if (s->family == AF_INET6) /* either way, so that the system's default (bindv6only) does not decide */
        status = dg_option_set_ipv6_only(s->fd, s->family, wanted->v6only);
    if (status == 0 && wanted->reuse_address)
        status = dg_option_set_reuse_address(s->fd, s->family, 1);
    if (status == 0 && wanted->reuse_port)
        status = dg_option_set_reuse_port(s->fd, s->family, 1);
    return status;
}

static void open_descriptor(lua_State *L, dg_socket *s, const creation *wanted)
{
    int fd = dg_descriptor_open(s->family);
    if (fd < 0)
        dg_error_raise_system(L, fd, "socket", NULL);
    s->fd = fd;
    s->v6only = (unsigned char)wanted->v6only;
    int status = apply_creation(s, wanted);
    if (status == 0) {
        dg_os_offloads(fd, &s->transmitter.offloads);
        s->life = DG_OPEN;
        return;
    }
    dg_descriptor_close(fd);
    s->fd = -1;
    dg_error_raise_system(L, status, "setsockopt", NULL);
}

/* core.open(family, reuseAddr, reusePort, ipv6Only): family is 4 or 6. Returns the socket, which has its descriptor. */
static int core_open(lua_State *L)
{
    creation wanted = {lua_toboolean(L, 2), lua_toboolean(L, 3), lua_toboolean(L, 4)};
    int family = luaL_checkinteger(L, 1) == 6 ? AF_INET6 : AF_INET;
    dg_hub *hub = dg_hub_of(L);
    dg_socket *s = dg_newuserdata(L, sizeof *s);
    lua_pop(L, 1);
    memset(s, 0, sizeof *s);
    s->hub = hub;
    s->fd = -1;
    s->family = family;
    s->life = DG_CLOSED;
    s->want = s->patience = 1;
    dg_queue_init(&s->queue, &hub->spare);
    lua_pushvalue(L, DG_UP_METATABLE);
    lua_setmetatable(L, -2);
    int index = lua_gettop(L);
    dg_hub_get(L, DG_STORE_SOCKETS);
    lua_pushvalue(L, index);
    dg_rawsetp(L, -2, s);
    lua_settop(L, index);
    open_descriptor(L, s, &wanted);
    return 1;
}

static const luaL_Reg core[] = {{"open", core_open}, {NULL, NULL}};

void dg_create_open(lua_State *L)
{
    lua_pushvalue(L, -2);
    dg_hub_get(L, DG_STORE_METATABLE);
    dg_setfuncs(L, core, 1);
    lua_pop(L, 1);
}
