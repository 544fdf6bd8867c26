/* SPDX-License-Identifier: MIT */
#include "buffers.h"

#include <errno.h>
#include <stdint.h>

#include "../net/option.h"
#include "../lua/error.h"
#include "send_queue.h"
#include "socket.h"

#define UP_BUFFER lua_upvalueindex(1)

typedef struct buffer {
    const char *getter, *setter, *syscall;
    int (*get)(int fd, int *bytes);
    int (*set)(int fd, int family, int bytes);
} buffer;

static const buffer buffers[] = {
    {"getRecvBufferSize", "setRecvBufferSize", "uv_recv_buffer_size", dg_option_get_receive_buffer,
     dg_option_set_receive_buffer},
    {"getSendBufferSize", "setSendBufferSize", "uv_send_buffer_size", dg_option_get_send_buffer,
     dg_option_set_send_buffer},
};

static int raise_buffer_error(lua_State *L, const buffer *b, int status)
{
    lua_pushcfunction(L, dg_error_new_system);
    lua_pushinteger(L, status);
    lua_pushstring(L, b->syscall);
    lua_call(L, 2, 1);
    lua_pushliteral(L, "ERR_SOCKET_BUFFER_SIZE");
    lua_setfield(L, -2, "code");
    lua_getfield(L, -1, "message");
    lua_pushfstring(L, "Could not get or set buffer size: %s", lua_tostring(L, -1));
    lua_setfield(L, -3, "message");
    lua_pop(L, 1);
    return lua_error(L);
}

void dg_buffers_set(lua_State *L, int index, int fd, int family)
{
    for (int i = 0; i < 2; i++) {
        int status = lua_isnoneornil(L, index + i) ? 0 : buffers[i].set(fd, family, (int)lua_tointeger(L, index + i));
        if (status != 0)
            raise_buffer_error(L, &buffers[i], status);
    }
}

/* socket:getRecvBufferSize(), socket:getSendBufferSize(): bytes, as the kernel counts. */
static int get_buffer(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    const buffer *b = lua_touserdata(L, UP_BUFFER);
    int bytes;
    dg_error_surplus(L, 1);
    int status = b->get(s->fd, &bytes);
    if (status != 0)
        return raise_buffer_error(L, b, status);
    lua_pushinteger(L, bytes);
    return 1;
}

/* socket:setRecvBufferSize(bytes), socket:setSendBufferSize(bytes). SO_RCVBUF, SO_SNDBUF */
static int set_buffer(lua_State *L)
{
    dg_socket *s = dg_socket_running(L);
    const buffer *b = lua_touserdata(L, UP_BUFFER);
    int64_t bytes = 0;
    dg_error_surplus(L, 2);
    if (!dg_isinteger(L, 2, &bytes) || bytes < 0 || (uint64_t)bytes > UINT32_MAX)
        return dg_error_raise(L, "TypeError", "ERR_SOCKET_BAD_BUFFER_SIZE",
                              "The buffer size must be an integer from 0 to 4294967295. Received %s",
                              dg_error_received(L, 2));
    dg_send_queue_flush(L, 1, s);
    int status = bytes <= INT32_MAX ? b->set(s->fd, s->family, (int)bytes) : -EINVAL;
    if (status != 0)
        return raise_buffer_error(L, b, status);
    return 0;
}

void dg_buffers_open(lua_State *L)
{
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
        dg_socket_add_closure(L, buffers[i].getter, get_buffer, &buffers[i]);
        dg_socket_add_closure(L, buffers[i].setter, set_buffer, &buffers[i]);
    }
}
