/* SPDX-License-Identifier: MIT */
#include "intake.h"

#include <errno.h>

#include "../net/descriptor.h"
#include "../net/option.h"
#include "../lua/arguments.h"
#include "../lua/error.h"
#include "socket.h"

static const char *advice(int status, int family, const char *unsupported)
{
    if (family == AF_UNIX)
        return "not on a unix_dgram socket";
    if (status == -ENODEV)
        return "this machine has no such interface";
    return status == -ENOTSUP ? unsupported : NULL;
}

static void set_device(lua_State *L, int index, int fd, int family)
{
    const char *name = dg_argument_address(L, index, "options.interface");
    int status = family == AF_UNIX ? -ENOTSUP : dg_descriptor_set_device_name(fd, name);
    if (status == 0)
        return;
    dg_error_push_advised(L, status, "setsockopt", NULL,
                          advice(status, family, "this system binds no socket to an interface"));
    lua_pushvalue(L, index);
    lua_setfield(L, -2, "interface");
    lua_error(L);
}

static void set_multicast_all(lua_State *L, int index, int fd, int family)
{
    int all = lua_toboolean(L, index);
    int status = family == AF_UNIX ? -ENOTSUP : dg_option_set_multicast_all(fd, family, all);
    if (status != 0)
        dg_error_raise_advised(L, status, "setsockopt",
                               advice(status, family, "this system does not tell groups apart (multicastAll)"));
}

void dg_intake_set(lua_State *L, int index, int fd, int family)
{
    if (!lua_isnoneornil(L, index))
        set_device(L, index, fd, family);
    if (!lua_isnoneornil(L, index + 1))
        set_multicast_all(L, index + 1, fd, family);
}

/* core.setIntake(socket, interface | nil, multicastAll | nil) */
static int core_set_intake(lua_State *L)
{
    const dg_socket *s = dg_socket_running(L);
    dg_intake_set(L, 2, s->fd, s->family);
    return 0;
}

static const luaL_Reg core[] = {{"setIntake", core_set_intake}, {NULL, NULL}};

void dg_intake_open(lua_State *L)
{
    dg_socket_add(L, NULL, core);
}
