/* SPDX-License-Identifier: MIT */
#include "receive.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "../net/option.h"
#include "../lua/error.h"
#include "../loop/luv.h"
#include "../loop/turn.h"
#include "asked.h"
#include "batch.h"
#include "destination.h"
#include "icmp.h"
#include "timers.h"
#include "watch.h"
#include "work.h"

enum {
    RETRY_AFTER = 50, /* milliseconds */
};

/* The reader's depth of a call of receive that no dispatch is around: those that come inside of it are deeper. Where
 * such a call raises, the socket keeps its batch's memory until the next one. */
#define OUTSIDE UINT_MAX

/* What a dg_receive_frame has on the stack, from `base` on; the last two only where something is asked for
 * (asked.h). */
enum { SLOTS, DELIVER, FAMILY, ADDRESS, LOCAL, INTERFACE, FRAME_SIZE };

enum { MOST_PUSHED = 24 }; /* values that stand on the stack beside it */

void dg_receive_push_upvalues(lua_State *L)
{
    dg_registry_get(L, DG_REGISTRY_HOOKS);
    lua_getfield(L, -1, "deliver");
    lua_insert(L, -2);
    lua_getfield(L, -1, "taken");
    lua_replace(L, -2);
    lua_pushliteral(L, "IPv4");
    lua_insert(L, -2);
    lua_pushliteral(L, "IPv6");
    lua_insert(L, -2);
    lua_pushliteral(L, "unix");
    lua_insert(L, -2);
    dg_registry_get(L, DG_REGISTRY_HOOKS);
    lua_getfield(L, -1, "deliverAll");
    lua_replace(L, -2);
}

int dg_receive_pending(const dg_socket *s)
{
    return dg_batch_left(s) && dg_socket_takes_messages(s);
}

void dg_receive_drop(dg_socket *s)
{
    s->rx.batch_at = s->rx.batch_count = 0;
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

/* Moves the cursor past `size` bytes of the current slot. */
static void advance(dg_socket *s, const dg_received *slot, uint32_t size)
{
    s->rx.messages++;
    s->rx.handed++;
    s->rx.bytes += size;
    s->rx.truncated += slot->truncated != 0;
    s->rx.batch_offset += size;
    if (s->rx.batch_offset >= slot->length) {
        s->rx.batch_offset = 0;
        s->rx.batch_at++;
    }
}

/* Pushes address, family, port, size, then whether the datagram was truncated, then what was asked for (asked.h); stops
 * where the rest would say nothing. Returns how many values. Allocates nothing. */
static inline int push_origin(lua_State *L, const dg_receive_frame *frame, const dg_socket *s, const dg_received *slot,
                              uint32_t size)
{
    lua_pushvalue(L, frame->base + ADDRESS);
    lua_pushvalue(L, frame->base + FAMILY);
    if (s->family == AF_UNIX)
        lua_pushnil(L);
    else
        lua_pushinteger(L, (lua_Integer)dg_address_port(&slot->from));
    lua_pushinteger(L, (lua_Integer)size);
    if (!slot->truncated && s->rx.asked.set == 0)
        return 4;
    lua_pushboolean(L, slot->truncated);
    return 5 + (s->rx.asked.set != 0 ? dg_asked_push(L, frame->base + LOCAL, s, &slot->with) : 0);
}

/* Delivers the datagram under the cursor. All allocating comes first, so no datagram is lost for want of memory: the
 * cursor moves after it. A finalizer that runs meanwhile may run the loop, which delivers this datagram, or close the
 * socket. Then this function delivers nothing, and the caller looks again. A finalizer may also set a receiver that
 * takes a rinfo; then it returns 1, and the caller calls it again with with_rinfo. */
static int deliver(lua_State *L, dg_receive_frame *frame, dg_socket *s, int with_rinfo)
{
    const int base = frame->base;
    const uint64_t before = s->rx.messages + s->rx.calls;
    const dg_received *slot = dg_arena_slot(s->rx.batch, s->rx.batch_at);
    uint32_t size = slot->length - s->rx.batch_offset;
    if (size > slot->segment)
        size = slot->segment;
    const unsigned outer = s->rx.reader_depth;
    s->rx.reader_depth = s->state->depth;
    if (with_rinfo) {
        keep_sender(L, frame, s, slot);
        lua_pushvalue(L, base + DELIVER);
    }
    lua_pushlstring(L, slot->data + s->rx.batch_offset, size);
    s->rx.reader_depth = outer;
    int gone = s->rx.messages + s->rx.calls != before || !dg_receive_pending(s);
    if (gone || (s->rx.takes_rinfo && !with_rinfo)) {
        lua_settop(L, base + FRAME_SIZE - 1);
        return !gone;
    }
    int arguments = 1;
    if (with_rinfo) {
        lua_pushvalue(L, base + SLOTS);
        arguments += 1 + push_origin(L, frame, s, slot, size);
    } else {
        lua_rawgeti(L, base + SLOTS, DG_SLOT_TARGET);
        lua_insert(L, -2);
    }
    advance(s, slot, size);
    lua_call(L, arguments, 0);
    return 0;
}

static void report_failure(lua_State *L, int index, dg_socket *s, int error)
{
    dg_icmp_report_or(L, index, s, error);
    if (error == -EBADF || error == -ENOTSOCK) /* other code has closed the descriptor: watching it would spin */
        dg_receive_stop(s, DG_BAD_FD);
    if (error == -ENOMEM || error == -ENOBUFS) { /* watching would spin, too, but the error may pass */
        if (dg_luv_available(L)) {
            dg_timers_retry(L, index, s, RETRY_AFTER);
            dg_receive_stop(s, DG_NO_MEMORY); /* the timer that ends it runs */
        }
    }
    dg_watch_update(L, index, s);
}

/* Receives the next batch. Returns whether to receive again after it. */
static int refill(lua_State *L, int index, dg_socket *s)
{
    int got = dg_batch_receive(s);
    if (got < 0)
        report_failure(L, index, s, got);
    if (s->family == AF_UNIX) /* it receives one datagram a call, and its queue in the kernel is short */
        return got > 0;
    return dg_batch_update_want(s, s->rx.batch_count);
}

static int next_pending(dg_socket *s)
{
    if (s->rx.block_list != NULL || s->rx.has_strangers)
        dg_batch_skip_refused(s);
    return dg_receive_pending(s);
}

dg_receive_frame dg_receive_push_frame(lua_State *L, int index, const dg_socket *s)
{
    dg_receive_frame frame = {lua_gettop(L) + 1, s->rx.sender_serial};
    const int asks = s->rx.asked.set != 0;
    if (asks)
        luaL_checkstack(L, FRAME_SIZE + MOST_PUSHED, NULL);
    dg_getuservalue(L, index);
    lua_pushvalue(L, asks ? DG_UP_DELIVER_ALL : DG_UP_DELIVER);
    lua_pushvalue(L, s->family == AF_UNIX ? DG_UP_UNIX : s->family == AF_INET6 ? DG_UP_IPV6 : DG_UP_IPV4);
    lua_rawgeti(L, frame.base + SLOTS, DG_SLOT_SENDER);
    if (asks)
        lua_settop(L, frame.base + FRAME_SIZE - 1);
    return frame;
}

/* Delivers what is left of the batch, within the budgets of the turn. */
static void deliver_batch(lua_State *L, dg_receive_frame *frame, dg_socket *s)
{
    int makes_rinfo = 0;
    if (!dg_batch_has_share(s) || !next_pending(s))
        return;
    do
        makes_rinfo = deliver(L, frame, s, makes_rinfo || s->rx.takes_rinfo);
    while (next_pending(s) && !dg_turn_called(s->state) && s->rx.handed < DG_TURN_MESSAGES);
}

void dg_receive(lua_State *L, int index, dg_socket *s, int readable)
{
    dg_receive_frame frame = dg_receive_push_frame(L, index, s);
    if (s->rx.reader_depth >= s->state->depth &&
        s->rx.reader_depth != OUTSIDE) /* a reader of this dispatch, or of a nested one, has raised */
        s->rx.reader_depth = 0;
    dg_turn_others(s->state);
    const uint64_t before = s->rx.messages;
    for (;;) {
        deliver_batch(L, &frame, s);
        /* A nested loop may have received a batch that waits for resume(). */
        if (!readable || !dg_socket_takes_messages(s) || dg_batch_left(s) || !dg_batch_has_share(s))
            break;
        if (s->rx.messages != before &&
            (dg_queue_count(&s->tx.queue) != 0 || dg_turn_called(s->state))) /* answers go first */
            break;
        readable = refill(L, index, s);
    }
    if (!dg_batch_left(s))
        dg_receive_drop(s);
    else if (dg_receive_pending(s))
        dg_work_add(L, index, s, DG_WORK_RESUME);
    if (s->rx.handed >= DG_TURN_MESSAGES)
        s->state->turn.ends = 1;
    lua_settop(L, frame.base - 1);
}

int dg_receive_take(lua_State *L, dg_receive_frame *frame, dg_socket *s, int shared)
{
    const int top = lua_gettop(L);
    const uint64_t before = s->rx.messages + s->rx.calls;
    const dg_received *slot = dg_arena_slot(s->rx.batch, s->rx.batch_at);
    uint32_t size = slot->length - s->rx.batch_offset;
    if (size > slot->segment)
        size = slot->segment;
    const unsigned outer = s->rx.reader_depth != OUTSIDE ? s->rx.reader_depth : 0;
    s->rx.reader_depth = s->state->depth != 0 ? s->state->depth : OUTSIDE;
    if (shared == 0) {
        keep_sender(L, frame, s, slot);
        lua_pushvalue(L, frame->base + DELIVER);
    }
    lua_pushlstring(L, slot->data + s->rx.batch_offset, size);
    if (shared == 0) {
        lua_pushvalue(L, DG_UP_TAKEN);
        lua_call(L, 2 + push_origin(L, frame, s, slot, size), 2);
    } else {
        lua_pushvalue(L, shared);
    }
    s->rx.reader_depth = outer;
    if (s->rx.messages + s->rx.calls != before || !dg_batch_may_be_taken(s) || !dg_batch_left(s)) {
        lua_settop(L, top);
        return 0;
    }
    advance(s, slot, size);
    if (s->state->depth != 0)
        dg_turn_called(s->state);
    return 1;
}

void dg_receive_keep_dropped(dg_socket *s)
{
    if (dg_option_get_drops(s->fd, &s->rx.dropped) == 0)
        s->rx.knows_dropped = 1;
}
