/* SPDX-License-Identifier: MIT */
#include "receive.h"

#include <string.h>

#include "../net/option.h"
#include "../loop/turn.h"
#include "asked.h"
#include "destination.h"

/* What a dg_receive_frame has on the stack, from `base` on; the last two only where something is asked for
 * (asked.h). */
enum { SLOTS, DELIVER, ADDRESS, LOCAL, INTERFACE, FRAME_SIZE };

enum { FAMILIES = 3 }; /* hooks in each table of hooks */

enum { MOST_PUSHED = 24 }; /* values that stand on the stack beside it */

void dg_receive_push_upvalues(lua_State *L)
{
    static const char *const hooks[] = {"deliver", "deliverAll"};
    dg_registry_get(L, DG_REGISTRY_HOOKS);
    const int table = lua_gettop(L);
    for (int i = 0; i < 2; i++) {
        lua_getfield(L, table, hooks[i]);
        const int families = lua_gettop(L);
        for (int family = 1; family <= FAMILIES; family++)
            lua_rawgeti(L, families, family);
        lua_remove(L, families);
    }
    lua_getfield(L, table, "taken");
    lua_remove(L, table);
}

/* Returns the pseudo-index of the socket's hook among those that begin at the upvalue `first`. */
static int hook_for(const dg_socket *s, int first)
{
    return lua_upvalueindex(first + (s->family == AF_UNIX ? 2 : s->family == AF_INET6));
}

void dg_receive_drop(dg_socket *s)
{
    s->rx.batch_at = s->rx.batch_count = s->rx.announced = 0;
    if (s->rx.reader_depth) /* an outer dispatch reads from the batch, and will look again */
        return;
    if (s->rx.batch != NULL)
        dg_state_give_arena(s->state, s->rx.batch);
    s->rx.batch = NULL;
}

void dg_receive_end(dg_socket *s)
{
    s->rx.reader_depth = 0;
    dg_receive_drop(s);
}

static int same_sender(const dg_socket *s, const dg_address *from)
{
    if (s->rx.sender.length != from->length || s->rx.sender_serial == 0)
        return 0;
    if (s->family == AF_INET)
        return s->rx.sender.u.in.sin_addr.s_addr == from->u.in.sin_addr.s_addr;
    return memcmp(&s->rx.sender.u.in6.sin6_addr, &from->u.in6.sin6_addr, sizeof from->u.in6.sin6_addr) == 0 &&
           s->rx.sender.u.in6.sin6_scope_id == from->u.in6.sin6_scope_id;
}

/* Brings a Unix sender's name to ADDRESS. The last name is only kept as a Lua string. */
static void keep_name(lua_State *L, dg_receive_frame *frame, const dg_address *from)
{
    char text[DG_ADDRESS_TEXT];
    size_t length = dg_address_format(from, text), kept_length = 0;
    const char *last = lua_tolstring(L, frame->base + ADDRESS, &kept_length);
    if (last != NULL && kept_length == length && memcmp(last, text, length) == 0)
        return;
    lua_pushlstring(L, text, length);
    lua_pushvalue(L, -1);
    lua_rawseti(L, frame->base + SLOTS, DG_SLOT_SENDER);
    lua_replace(L, frame->base + ADDRESS);
}

/* Makes the text of a sender that is not the last one. */
static void new_sender(lua_State *L, const dg_receive_frame *frame, dg_socket *s, const dg_address *from)
{
    char text[DG_ADDRESS_TEXT];
    const dg_address sender = *from; /* `from` is in a slot, and finalizers that run now may receive into it */
    lua_pushlstring(L, text, dg_address_format(&sender, text));
    lua_rawseti(L, frame->base + SLOTS, DG_SLOT_SENDER);
    dg_inet_store(&s->rx.sender, &sender);
    s->rx.sender_serial++;
}

/* The sender or its port has changed: puts its address into the cache, so that an answer to it need not be parsed. */
static void remember_for_answers(lua_State *L, const dg_receive_frame *frame, const dg_socket *s)
{
    dg_address sender;
    size_t length;
    const char *text = lua_tolstring(L, frame->base + ADDRESS, &length);
    dg_inet_load(&sender, &s->rx.sender);
    dg_destination_keep_sender(s, text, length, &sender);
}

/* Brings the text of the sender's address to ADDRESS; the text of the last sender is kept. */
static inline void keep_address(lua_State *L, dg_receive_frame *frame, dg_socket *s, const dg_address *from)
{
    if (s->family == AF_UNIX) {
        keep_name(L, frame, from);
        return;
    }
    const in_port_t port = from->u.in.sin_port; /* IPv6's port is in the same place */
    if (!same_sender(s, from))
        new_sender(L, frame, s, from);
    if (frame->sender != s->rx.sender_serial) {
        lua_rawgeti(L, frame->base + SLOTS, DG_SLOT_SENDER);
        lua_replace(L, frame->base + ADDRESS);
        frame->sender = s->rx.sender_serial;
    } else if (s->rx.sender.u.in.sin_port == port) {
        return;
    }
    s->rx.sender.u.in.sin_port = port;
    remember_for_answers(L, frame, s);
}

/* Brings all texts of the rinfo to their places. */
static inline void keep_sender(lua_State *L, dg_receive_frame *frame, dg_socket *s, const dg_received *slot)
{
    if (s->rx.asked.set != 0)
        dg_asked_keep_texts(L, frame->base + LOCAL, &slot->with);
    keep_address(L, frame, s, &slot->from);
}

/* Pushes address, port, size, then whether the datagram was truncated, then what was asked for (asked.h); stops
 * where the rest would say nothing. Returns how many values. Allocates nothing. */
static inline int push_origin(lua_State *L, const dg_receive_frame *frame, const dg_socket *s, const dg_received *slot,
                              uint32_t size)
{
    lua_pushvalue(L, frame->base + ADDRESS);
    if (s->family == AF_UNIX)
        lua_pushnil(L);
    else
        lua_pushinteger(L, (lua_Integer)dg_address_port(&slot->from));
    lua_pushinteger(L, (lua_Integer)size);
    if (!slot->truncated && s->rx.asked.set == 0)
        return 3;
    lua_pushboolean(L, slot->truncated);
    return 4 + (s->rx.asked.set != 0 ? dg_asked_push(L, frame->base + LOCAL, s, &slot->with) : 0);
}

/* All allocating comes first, so no datagram is lost for want of memory: the cursor moves after it. */
static inline void deliver(lua_State *L, dg_receive_frame *frame, dg_socket *s)
{
    const int base = frame->base, with_rinfo = s->rx.takes_rinfo;
    const uint64_t before = s->rx.messages + s->rx.calls;
    const dg_received *slot = dg_arena_slot(s->rx.batch, s->rx.batch_at);
    const uint32_t size = dg_batch_size(slot, s->rx.batch_offset);
    const unsigned outer = s->rx.reader_depth;
    s->rx.reader_depth = s->state->depth;
    if (with_rinfo) {
        keep_sender(L, frame, s, slot);
        lua_pushvalue(L, base + DELIVER);
    }
    lua_pushlstring(L, slot->data + s->rx.batch_offset, size);
    s->rx.reader_depth = outer;
    if (s->rx.messages + s->rx.calls != before || !dg_receive_pending(s) || !dg_receive_wants_messages(s) ||
        (s->rx.takes_rinfo && !with_rinfo)) {
        lua_settop(L, base + FRAME_SIZE - 1);
        return;
    }
    int arguments = 1;
    if (with_rinfo) {
        lua_pushvalue(L, base + SLOTS);
        arguments += 1 + push_origin(L, frame, s, slot, size);
    } else {
        lua_rawgeti(L, base + SLOTS, DG_SLOT_TARGET);
        lua_insert(L, -2);
    }
    dg_batch_advance(s, slot, size);
    lua_call(L, arguments, 0);
}

dg_receive_frame dg_receive_push_frame(lua_State *L, int index, const dg_socket *s)
{
    dg_receive_frame frame = {lua_gettop(L) + 1, s->rx.sender_serial};
    const int asks = s->rx.asked.set != 0;
    if (asks)
        luaL_checkstack(L, FRAME_SIZE + MOST_PUSHED, NULL);
    dg_getuservalue(L, index);
    lua_pushvalue(L, hook_for(s, asks ? DG_UP_DELIVER_ALL : DG_UP_DELIVER));
    lua_rawgeti(L, frame.base + SLOTS, DG_SLOT_SENDER);
    if (asks)
        lua_settop(L, frame.base + FRAME_SIZE - 1);
    return frame;
}

void dg_receive_one(lua_State *L, dg_receive_frame *frame, dg_socket *s)
{
    deliver(L, frame, s);
}

void dg_receive_rest(lua_State *L, dg_receive_frame *frame, dg_socket *s)
{
    do
        deliver(L, frame, s);
    while (dg_receive_next(s) && !dg_turn_called(s->state) && s->rx.handed < DG_TURN_MESSAGES &&
           !(s->rx.receiving & DG_TAKES_LISTS));
}

unsigned dg_receive_hold(dg_socket *s)
{
    const unsigned outer = s->rx.reader_depth;
    s->rx.reader_depth = s->state->depth != 0 ? s->state->depth : DG_OUTSIDE;
    return outer;
}

int dg_receive_take(lua_State *L, dg_receive_frame *frame, dg_socket *s)
{
    const int top = lua_gettop(L);
    const uint64_t before = s->rx.messages + s->rx.calls;
    const dg_received *slot = dg_arena_slot(s->rx.batch, s->rx.batch_at);
    const uint32_t size = dg_batch_size(slot, s->rx.batch_offset);
    const unsigned outer = dg_receive_hold(s);
    keep_sender(L, frame, s, slot);
    lua_pushvalue(L, frame->base + DELIVER);
    lua_pushlstring(L, slot->data + s->rx.batch_offset, size);
    lua_pushvalue(L, lua_upvalueindex(DG_UP_TAKEN));
    lua_call(L, 2 + push_origin(L, frame, s, slot, size), 2);
    dg_receive_release(s, outer);
    if (s->rx.messages + s->rx.calls != before || !dg_batch_may_be_taken(s) || !dg_batch_left(s)) {
        lua_settop(L, top);
        return 0;
    }
    dg_batch_advance(s, slot, size);
    if (s->state->depth != 0)
        dg_turn_called(s->state);
    return 1;
}

void dg_receive_push_rinfo(lua_State *L, dg_receive_frame *frame, dg_socket *s, const dg_received *slot, uint32_t size)
{
    keep_sender(L, frame, s, slot);
    lua_pushvalue(L, frame->base + DELIVER);
    lua_pushnil(L); /* the message */
    lua_pushvalue(L, lua_upvalueindex(DG_UP_TAKEN));
    lua_call(L, 2 + push_origin(L, frame, s, slot, size), 2);
    lua_remove(L, -2);
}

void dg_receive_set_waiting(dg_socket *s, int waiting)
{
    s->rx.no_call = !waiting;
    if (waiting || (s->rx.receiving & DG_TAKES_LISTS))
        dg_receive_restart(s, DG_NO_CALL);
    else
        dg_receive_stop(s, DG_NO_CALL);
}

void dg_receive_set_takers(dg_socket *s, unsigned takers)
{
    s->rx.receiving = (unsigned char)takers;
    dg_receive_set_waiting(s, !s->rx.no_call);
}

void dg_receive_keep_dropped(dg_socket *s)
{
    if (dg_option_get_drops(s->fd, &s->rx.dropped) == 0)
        s->rx.knows_dropped = 1;
}
