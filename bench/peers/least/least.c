/* The least that a Lua binding can do, with the kernel's best calls: it checks nothing, catches no error, has one
 * sender and one destination, and waits until the kernel takes what is sent, which has one size. What remains is a
 * string and a table for each datagram received, and a call of Lua's each way: no binding that gives as much is much
 * faster, whatever else it leaves out. */
#define _GNU_SOURCE
#include "../../c/common.h"

#include <lauxlib.h>
#include <lua.h>

enum { FEW = 4, SLOTS = 32, LARGE = 8192 };

static char payload[SLOTS][SLOT], controls[SLOTS][64];
static struct sockaddr_in senders[SLOTS], destination;
static struct mmsghdr headers[SLOTS];
static struct iovec buffers[SLOTS];
static int fd;

static void ready_slots(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct msghdr *header = &headers[i].msg_hdr;
        buffers[i] = (struct iovec){payload[i], SLOT};
        header->msg_iov = &buffers[i];
        header->msg_iovlen = 1;
        header->msg_name = &senders[i];
        header->msg_namelen = sizeof senders[i];
        header->msg_control = controls[i];
        header->msg_controllen = sizeof controls[i];
    }
}

/* Upvalues: deliver, listener, address, family. */
static void deliver(lua_State *L, const char *data, size_t size, int port)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushlstring(L, data, size);
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_pushvalue(L, lua_upvalueindex(3));
    lua_pushvalue(L, lua_upvalueindex(4));
    lua_pushinteger(L, port);
    lua_pushinteger(L, (lua_Integer)size);
    lua_call(L, 6, 0);
}

/* luv's callback for the poll. */
static int readable(lua_State *L)
{
    unsigned want = FEW;
    int got, full;
    do {
        ready_slots(want);
        got = recvmmsg(fd, headers, want, MSG_DONTWAIT, NULL);
        for (int i = 0; i < got; i++) {
            int size, length = (int)headers[i].msg_len, port = ntohs(senders[i].sin_port);
            segments_in(&headers[i].msg_hdr, headers[i].msg_len, &size);
            for (int at = 0; at < length; at += size)
                deliver(L, payload[i] + at, (size_t)(length - at < size ? length - at : size), port);
        }
        full = got == (int)want;
        if (full && want < SLOTS && headers[0].msg_len < LARGE) /* more of trains would leave the cache */
            want *= 2;
    } while (full);
    return 0;
}

/* open(deliver, listener) -> descriptor, port, poll callback */
static int least_open(lua_State *L)
{
    fd = bound(0);
    set_int(fd, SOL_UDP, UDP_GRO, 1, "UDP_GRO");
    lua_settop(L, 2);
    lua_pushinteger(L, fd);
    lua_insert(L, 1);
    lua_pushinteger(L, port_of(fd));
    lua_insert(L, 2);
    lua_pushliteral(L, "127.0.0.1");
    lua_pushliteral(L, "IPv4");
    lua_pushcclosure(L, readable, 4);
    return 3;
}

/* buffer() -> bytes that wait at most */
static int least_buffer(lua_State *L)
{
    int size;
    socklen_t length = sizeof size;
    getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &length);
    lua_pushinteger(L, size);
    return 1;
}

/* luv's callback for a socket to which one datagram comes at a time. Upvalues: as above, and the descriptor. */
static int readable_one(lua_State *L)
{
    struct sockaddr_in from;
    socklen_t room = sizeof from;
    ssize_t length =
        recvfrom((int)lua_tointeger(L, lua_upvalueindex(5)), payload[0], SLOT, MSG_DONTWAIT, (void *)&from, &room);
    if (length >= 0)
        deliver(L, payload[0], (size_t)length, ntohs(from.sin_port));
    return 0;
}

/* open_one(deliver, listener) -> descriptor, port, poll callback */
static int least_open_one(lua_State *L)
{
    int own = bound(0);
    lua_settop(L, 2);
    lua_pushinteger(L, own);
    lua_insert(L, 1);
    lua_pushinteger(L, port_of(own));
    lua_insert(L, 2);
    lua_pushliteral(L, "127.0.0.1");
    lua_pushliteral(L, "IPv4");
    lua_pushinteger(L, own);
    lua_pushcclosure(L, readable_one, 5);
    return 3;
}

/* send_now(descriptor, msg, port): to the loopback address. */
static int least_send_now(lua_State *L)
{
    size_t length;
    const char *msg = lua_tolstring(L, 2, &length);
    struct sockaddr_in to = loopback((int)lua_tointeger(L, 3));
    if (sendto((int)lua_tointeger(L, 1), msg, length, MSG_DONTWAIT, (void *)&to, sizeof to) < 0)
        die("sendto");
    return 0;
}

static char queue[SLOT];
static unsigned queued, size_of_each, waiting;

static void flush(void)
{
    char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
    struct iovec buffer = {queue, (size_t)queued * size_of_each};
    struct msghdr header = {.msg_iov = &buffer, .msg_iovlen = 1};
    if (queued == 0)
        return;
    header.msg_name = &destination;
    header.msg_namelen = sizeof destination;
    if (queued > 1)
        segment(&header, control, size_of_each);
    if (sendmsg(fd, &header, 0) < 0)
        die("sendmsg");
    queued = 0;
}

/* socket:send(msg, port, address [, callback]): all of one length, to one place. Upvalue 1: the callbacks. */
static int least_send(lua_State *L)
{
    size_t length;
    const char *msg = lua_tolstring(L, 2, &length);
    if (queued == 0) {
        destination = loopback((int)lua_tointeger(L, 3));
        size_of_each = (unsigned)length;
    }
    memcpy(queue + queued * length, msg, length);
    if (lua_gettop(L) == 5)
        lua_rawseti(L, lua_upvalueindex(1), (int)++waiting);
    if (++queued == train_up_to(MOST_SEGMENTS, (unsigned)length)) /* older kernels refuse it */
        flush();
    lua_pushboolean(L, 1);
    return 1;
}

/* The loop's idle callback: sends what is queued, and calls those who wait. Upvalue 1: the callbacks. */
static int turn(lua_State *L)
{
    unsigned count = waiting;
    flush();
    waiting = 0;
    for (unsigned i = 1; i <= count; i++) {
        lua_rawgeti(L, lua_upvalueindex(1), (int)i);
        lua_pushnil(L);
        lua_pushinteger(L, (lua_Integer)size_of_each);
        lua_call(L, 2, 0);
    }
    return 0;
}

/* sender() -> socket, idle callback */
static int least_sender(lua_State *L)
{
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    lua_newuserdata(L, 1);
    lua_newtable(L);
    lua_newtable(L); /* the callbacks */
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, least_send, 1);
    lua_newtable(L);
    lua_insert(L, -2);
    lua_setfield(L, -2, "send");
    lua_setfield(L, -3, "__index");
    lua_insert(L, -2);
    lua_setmetatable(L, -3);
    lua_pushcclosure(L, turn, 1);
    return 2;
}

int luaopen_least(lua_State *L)
{
    lua_newtable(L);
    lua_pushcfunction(L, least_open);
    lua_setfield(L, -2, "open");
    lua_pushcfunction(L, least_buffer);
    lua_setfield(L, -2, "buffer");
    lua_pushcfunction(L, least_sender);
    lua_setfield(L, -2, "sender");
    lua_pushcfunction(L, least_open_one);
    lua_setfield(L, -2, "open_one");
    lua_pushcfunction(L, least_send_now);
    lua_setfield(L, -2, "send_now");
    return 1;
}
