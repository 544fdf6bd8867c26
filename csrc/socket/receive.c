/* SPDX-License-Identifier: MIT */
#include "receive.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "../net/option.h"
#include "../lua/error.h"
#include "../loop/luv.h"
#include "../loop/turn.h"
#include "batch.h"
#include "timers.h"
#include "watch.h"
#include "work.h"

enum {
    REST = 50, /* milliseconds */
};

/* The reader's depth of a call of receive that no dispatch is around: those that come inside of it are deeper. Where
 * such a call raises, the socket keeps its batch's memory until the next one. */
#define OUTSIDE UINT_MAX

enum { SLOTS, DELIVER, FAMILY, ADDRESS, KEPT }; /* what a batch keeps on the stack */

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
}

int dg_receive_pending(const dg_socket *s)
{
    return dg_batch_left(s) && dg_socket_takes_messages(s);
}

void dg_receive_drop(dg_socket *s)
{
    s->rx.batch_at = s->rx.batch_count = 0;
    if (s->rx.reader_depth) /* somebody reads from it, and will look again */
        return;
    if (s->rx.batch != NULL)
        dg_state_give_arena(s->state, s->rx.batch);
    s->rx.batch = NULL;
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

/* A Unix sender's name is kept in no other form than its string. */
static void keep_name(lua_State *L, dg_kept *k, const dg_address *from)
{
    char text[DG_ADDRESS_TEXT];
    size_t length = dg_address_format(from, text), kept_length = 0;
    const char *last = lua_tolstring(L, k->base + ADDRESS, &kept_length);
    if (last != NULL && kept_length == length && memcmp(last, text, length) == 0)
        return;
    lua_pushlstring(L, text, length);
    lua_pushvalue(L, -1);
    lua_rawseti(L, k->base + SLOTS, DG_SLOT_SENDER);
    lua_replace(L, k->base + ADDRESS);
}

/* Another one than last time. */
static void new_sender(lua_State *L, const dg_kept *k, dg_socket *s, const dg_address *from)
{
    char text[DG_ADDRESS_TEXT];
    const dg_address sender = *from; /* finalizers that run now may receive into the slot that it is in */
    lua_pushlstring(L, text, dg_address_format(&sender, text));
    lua_rawseti(L, k->base + SLOTS, DG_SLOT_SENDER);
    dg_inet_store(&s->rx.sender, &sender);
    s->rx.sender_serial++;
}

/* Brings the sender's address to its place on the stack; the string of the last one is remembered. */
static inline void keep_sender(lua_State *L, dg_kept *k, dg_socket *s, const dg_address *from)
{
    if (s->family == AF_UNIX) {
        keep_name(L, k, from);
        return;
    }
    if (!same_sender(s, from))
        new_sender(L, k, s, from);
    s->rx.sender.u.in.sin_port = from->u.in.sin_port; /* IPv6's is in the same place */
    if (k->sender == s->rx.sender_serial)
        return;
    lua_rawgeti(L, k->base + SLOTS, DG_SLOT_SENDER);
    lua_replace(L, k->base + ADDRESS);
    k->sender = s->rx.sender_serial;
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

/* Pushes address, family, port, size, and whether it was truncated if it was; returns how many. */
static int push_origin(lua_State *L, const dg_kept *k, const dg_socket *s, const dg_received *slot, uint32_t size)
{
    lua_pushvalue(L, k->base + ADDRESS);
    lua_pushvalue(L, k->base + FAMILY);
    if (s->family == AF_UNIX)
        lua_pushnil(L);
    else
        lua_pushinteger(L, (lua_Integer)dg_address_port(&slot->from));
    lua_pushinteger(L, (lua_Integer)size);
    if (!slot->truncated)
        return 4;
    lua_pushboolean(L, 1);
    return 5;
}

/* Delivers the datagram under the cursor. Nothing is lost for want of memory: the cursor moves when all is made.
 * Finalizers run while it is made, perhaps: one that ran the loop has delivered this datagram, one may have closed the
 * socket. Then nothing is delivered, and the caller looks again; likewise where one has put a listener there that takes
 * more, for which it returns that a rinfo is to be made. */
static int deliver(lua_State *L, dg_kept *k, dg_socket *s, int with_rinfo)
{
    const int base = k->base;
    const uint64_t before = s->rx.messages + s->rx.calls;
    const dg_received *slot = dg_arena_slot(s->rx.batch, s->rx.batch_at);
    uint32_t size = slot->length - s->rx.batch_offset;
    if (size > slot->segment)
        size = slot->segment;
    const unsigned outer = s->rx.reader_depth;
    s->rx.reader_depth = s->state->depth;
    if (with_rinfo) {
        keep_sender(L, k, s, &slot->from);
        lua_pushvalue(L, base + DELIVER);
    }
    lua_pushlstring(L, slot->data + s->rx.batch_offset, size);
    s->rx.reader_depth = outer;
    int gone = s->rx.messages + s->rx.calls != before || !dg_receive_pending(s);
    if (gone || (s->rx.takes_rinfo && !with_rinfo)) {
        lua_settop(L, base + KEPT - 1);
        return !gone;
    }
    int arguments = 1;
    if (with_rinfo) {
        lua_pushvalue(L, base + SLOTS);
        arguments += 1 + push_origin(L, k, s, slot, size);
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
    dg_socket_push_error(L, s, error, "recvmsg", NULL);
    dg_work_emit(L, index, "error");
    if (error == -EBADF ||
        error == -ENOTSOCK) /* somebody closed it behind our back; it would come again at once, for ever */
        s->rx.stopped |= DG_BAD_FD;
    if (error == -ENOMEM || error == -ENOBUFS) { /* likewise, but it may pass */
        if (dg_luv_available(L)) {
            dg_timers_retry(L, index, s, REST);
            s->rx.stopped |= DG_NO_MEMORY; /* now that something will end it */
        }
    }
    dg_watch_update(L, index, s);
}

/* Receives the next batch. Returns whether to look for more behind it. */
static int refill(lua_State *L, int index, dg_socket *s)
{
    int got = dg_batch_receive(s);
    if (got < 0)
        report_failure(L, index, s, got);
    if (s->family == AF_UNIX) /* its queue is short, and it takes them singly */
        return got > 0;
    return dg_batch_adapt(s, s->rx.batch_count);
}

static int next_pending(dg_socket *s)
{
    if (s->rx.block_list != NULL || s->rx.has_strangers)
        dg_batch_skip_refused(s);
    return dg_receive_pending(s);
}

dg_kept dg_receive_begin(lua_State *L, int index, const dg_socket *s)
{
    dg_kept k = {lua_gettop(L) + 1, s->rx.sender_serial};
    dg_getuservalue(L, index);
    lua_pushvalue(L, DG_UP_DELIVER);
    lua_pushvalue(L, s->family == AF_UNIX ? DG_UP_UNIX : s->family == AF_INET6 ? DG_UP_IPV6 : DG_UP_IPV4);
    lua_rawgeti(L, k.base + SLOTS, DG_SLOT_SENDER);
    return k;
}

/* Delivers what is left of the batch, as far as the socket's share of the turn goes. */
static void deliver_batch(lua_State *L, dg_kept *k, dg_socket *s)
{
    int makes_rinfo = 0;
    if (!dg_batch_has_share(s) || !next_pending(s))
        return;
    do
        makes_rinfo = deliver(L, k, s, makes_rinfo || s->rx.takes_rinfo);
    while (next_pending(s) && !dg_turn_called(s->state) && s->rx.handed < DG_TURN_MESSAGES);
}

void dg_receive(lua_State *L, int index, dg_socket *s, int readable)
{
    dg_kept k = dg_receive_begin(L, index, s);
    if (s->rx.reader_depth >= s->state->depth &&
        s->rx.reader_depth != OUTSIDE) /* by a reader of this dispatch, or of one inside of it, that raised */
        s->rx.reader_depth = 0;
    dg_turn_others(s->state);
    const uint64_t before = s->rx.messages;
    for (;;) {
        deliver_batch(L, &k, s);
        /* A nested loop may have received and left a batch that waits for resume. */
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
    lua_settop(L, k.base - 1);
}

int dg_receive_take(lua_State *L, dg_kept *k, dg_socket *s, int shared)
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
        keep_sender(L, k, s, &slot->from);
        lua_pushvalue(L, k->base + DELIVER);
    }
    lua_pushlstring(L, slot->data + s->rx.batch_offset, size);
    if (shared == 0) {
        lua_pushvalue(L, DG_UP_TAKEN);
        lua_call(L, 2 + push_origin(L, k, s, slot, size), 2);
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
