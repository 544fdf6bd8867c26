/* SPDX-License-Identifier: MIT */
#include "receive.h"

#include <errno.h>
#include <string.h>

#include "error.h"
#include "tick.h"

enum { MOST_PATIENCE = 64 };

void dg_receive_push_rinfo_values(lua_State *L)
{
    static const char *const values[DG_RINFO_VALUES] = {"address", "family", "port", "size", "IPv4", "IPv6"};
    for (int i = 0; i < DG_RINFO_VALUES; i++)
        lua_pushstring(L, values[i]);
}

static int takes_messages(const dg_socket *s)
{
    return s->life == DG_OPEN && s->receiving && !s->paused;
}

static int batch_left(const dg_socket *s)
{
    return s->batch != NULL && s->batch_at < s->batch_count;
}

int dg_receive_pending(const dg_socket *s)
{
    return batch_left(s) && takes_messages(s);
}

void dg_receive_drop(dg_socket *s)
{
    if (s->batch != NULL)
        dg_hub_give_arena(s->hub, s->batch);
    s->batch = NULL;
    s->batch_at = s->batch_count = 0;
}

static int same_sender(const dg_socket *s, const dg_address *from)
{
    if (s->sender.length != from->length)
        return 0;
    if (s->family == AF_INET)
        return s->sender.u.in.sin_addr.s_addr == from->u.in.sin_addr.s_addr;
    return memcmp(&s->sender.u.in6.sin6_addr, &from->u.in6.sin6_addr, sizeof from->u.in6.sin6_addr) == 0 &&
           s->sender.u.in6.sin6_scope_id == from->u.in6.sin6_scope_id;
}

/* Pushes the sender's address; the string of the last one is kept. */
static void push_sender(lua_State *L, int slots, dg_socket *s, const dg_address *from)
{
    char text[DG_ADDRESS_TEXT];
    if (same_sender(s, from)) {
        lua_rawgeti(L, slots, DG_SLOT_SENDER);
        return;
    }
    s->sender.length = 0;
    lua_pushlstring(L, text, dg_address_format(from, text));
    lua_pushvalue(L, -1);
    lua_rawseti(L, slots, DG_SLOT_SENDER);
    s->sender = *from;
}

static void push_rinfo(lua_State *L, int slots, dg_socket *s, const dg_received *slot, size_t size)
{
    lua_createtable(L, 0, 4);
    lua_pushvalue(L, DG_UP_ADDRESS);
    push_sender(L, slots, s, &slot->from);
    lua_rawset(L, -3);
    lua_pushvalue(L, DG_UP_FAMILY);
    lua_pushvalue(L, s->family == AF_INET6 ? DG_UP_IPV6 : DG_UP_IPV4);
    lua_rawset(L, -3);
    lua_pushvalue(L, DG_UP_PORT);
    lua_pushinteger(L, (lua_Integer)dg_address_port(&slot->from));
    lua_rawset(L, -3);
    lua_pushvalue(L, DG_UP_SIZE);
    lua_pushinteger(L, (lua_Integer)size);
    lua_rawset(L, -3);
    if (slot->truncated) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, "truncated");
    }
}

/* Moves the cursor past `size` bytes of the current slot. */
static void advance(dg_socket *s, const dg_received *slot, uint32_t size)
{
    s->messages++;
    s->bytes += size;
    s->batch_offset += size;
    if (s->batch_offset >= slot->length) {
        s->batch_offset = 0;
        s->batch_at++;
    }
}

/* Delivers the datagram under the cursor. Nothing is lost for want of memory: the cursor moves when all is made. */
static void deliver(lua_State *L, int slots, dg_socket *s)
{
    const dg_received *slot = dg_arena_slot(s->batch, s->batch_at);
    uint32_t size = slot->length - s->batch_offset;
    if (size > slot->segment)
        size = slot->segment;
    lua_rawgeti(L, slots, DG_SLOT_RECEIVER);
    lua_pushlstring(L, slot->data + s->batch_offset, size);
    push_rinfo(L, slots, s, slot, size);
    advance(s, slot, size);
    lua_call(L, 2, 0);
}

/* How many slots to offer next. A lone datagram should cost one plain recvmsg; a flood should fill them all. So a batch is
 * tried after some full receives of one, and more of these are asked for each time that the try found nothing. */
static void adapt(dg_socket *s, unsigned got)
{
    unsigned wanted = s->want;
    if (got == wanted) {
        if (wanted > 1 || ++s->streak >= s->patience)
            s->want = wanted * 2 < DG_SLOTS ? wanted * 2 : DG_SLOTS;
        if (wanted > 1)
            s->patience = 1;
        return;
    }
    s->streak = 0;
    if (got <= 1 && wanted == 2 && s->patience < MOST_PATIENCE)
        s->patience *= 2;
    s->want = got > 1 ? got : 1;
}

static void report_failure(lua_State *L, int index, dg_socket *s, int error)
{
    dg_error_push_system(L, error, "recvmsg", NULL);
    dg_tick_emit(L, index, "error");
    if (error == -EBADF || error == -ENOTSOCK || error == -ENOMEM) /* it would come again at once, for ever */
        s->paused = 1;
}

/* Receives the next batch. Returns whether there may be more behind it. */
static int refill(lua_State *L, int index, dg_socket *s)
{
    unsigned wanted = s->want;
    if (s->batch == NULL)
        s->batch = dg_hub_take_arena(s->hub);
    int got = s->batch != NULL ? dg_os_receive(s->fd, s->batch, wanted) : -ENOMEM;
    s->receive_calls++;
    s->batch_at = s->batch_offset = 0;
    s->batch_count = got > 0 ? (unsigned)got : 0;
    adapt(s, s->batch_count);
    if (got > 0)
        return wanted > 1 && (unsigned)got == wanted;
    if (got != -EAGAIN && got != -EWOULDBLOCK)
        report_failure(L, index, s, got);
    return 0;
}

void dg_receive(lua_State *L, int index, dg_socket *s, int readable)
{
    dg_turn *turn = &s->hub->turn;
    index = dg_absindex(L, index);
    dg_gettable(L, index);
    int slots = lua_gettop(L);
    for (;;) {
        while (dg_receive_pending(s)) {
            deliver(L, slots, s);
            turn->budget -= turn->budget != 0;
        }
        /* A nested loop may have received and left a batch that waits for resume. */
        if (!readable || !takes_messages(s) || turn->budget == 0 || batch_left(s))
            break;
        readable = refill(L, index, s);
    }
    if (!batch_left(s))
        dg_receive_drop(s);
    lua_pop(L, 1);
}

/* After a change that may let datagrams of a batch go on. */
static void changed(lua_State *L, dg_socket *s)
{
    dg_socket_update(L, 1, s);
    if (dg_receive_pending(s))
        dg_tick_due(L, 1, s, DG_DUE_RESUME);
}

/* core.setReceiver(socket, function | nil): where messages go. */
static int core_set_receiver(lua_State *L)
{
    dg_socket *s = dg_socket_check(L);
    lua_settop(L, 2);
    dg_gettable(L, 1);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, DG_SLOT_RECEIVER);
    s->receiving = !lua_isnil(L, 2);
    changed(L, s);
    return 0;
}

static int set_paused(lua_State *L, int paused)
{
    dg_socket *s = dg_socket_running(L);
    dg_error_surplus(L, 1);
    lua_settop(L, 1);
    s->paused = (unsigned char)paused;
    changed(L, s);
    return 1;
}

/* socket:pause(): takes no more datagrams from the kernel, where they wait as long as its buffer has room. */
static int socket_pause(lua_State *L)
{
    return set_paused(L, 1);
}

/* socket:resume() */
static int socket_resume(lua_State *L)
{
    return set_paused(L, 0);
}

static const luaL_Reg methods[] = {{"pause", socket_pause}, {"resume", socket_resume}, {NULL, NULL}};
static const luaL_Reg core[] = {{"setReceiver", core_set_receiver}, {NULL, NULL}};

void dg_receive_open(lua_State *L)
{
    dg_hub_get(L, DG_STORE_METATABLE);
    dg_setfuncs(L, methods, 1);
    lua_pushvalue(L, -2);
    dg_hub_get(L, DG_STORE_METATABLE);
    dg_setfuncs(L, core, 1);
    lua_pop(L, 1);
}
