/* SPDX-License-Identifier: MIT */
#include "lists.h"

#include "../loop/turn.h"
#include "asked.h"

static int is_shared(const dg_socket *s, const dg_lists *lists, const dg_received *slot)
{
    return slot->truncated == lists->truncated && dg_address_same(&slot->from, &lists->from) &&
           dg_asked_same(s, &slot->with, &lists->with);
}

/* Brings the rinfo for the slot to lists->rinfo. What it says is noted before: finalizers may change the slot. */
static void make_rinfo(lua_State *L, dg_receive_frame *frame, dg_socket *s, dg_lists *lists, const dg_received *slot,
                       uint32_t size)
{
    lists->truncated = slot->truncated;
    dg_address_copy(&lists->from, &slot->from);
    if (s->rx.asked.set != 0)
        lists->with = slot->with;
    dg_receive_push_rinfo(L, frame, s, slot, size);
    lua_replace(L, lists->rinfo);
    lists->has_rinfo = 1;
}

/* Sees to it that lists->rinfo is that of what begins at the offset. */
static void need_rinfo(lua_State *L, dg_receive_frame *frame, dg_socket *s, dg_lists *lists, const dg_received *slot,
                       uint32_t offset)
{
    if (!lists->has_rinfo || (offset == 0 && !is_shared(s, lists, slot)))
        make_rinfo(L, frame, s, lists, slot, dg_batch_size(slot, offset));
}

/* Appends a text, and the rinfo at hand. Returns 0 if something has changed since the mark was set. */
static inline int append(lua_State *L, const dg_socket *s, dg_lists *lists, const char *text, uint32_t size)
{
    lua_pushlstring(L, text, size);
    if (dg_lists_mark(s) != lists->mark || !dg_batch_may_be_taken(s)) {
        lua_pop(L, 1);
        return 0;
    }
    /* No finalizer runs from here on. The lists may have to grow, which may raise. */
    lua_pushvalue(L, lists->rinfo);
    lua_rawseti(L, lists->rinfos, lists->count + 1);
    lua_rawseti(L, lists->messages, lists->count + 1);
    lists->count++;
    return 1;
}

int dg_lists_append(lua_State *L, dg_receive_frame *frame, dg_socket *s, dg_lists *lists, unsigned at, uint32_t offset)
{
    const dg_received *slot = dg_arena_slot(s->rx.batch, at);
    need_rinfo(L, frame, s, lists, slot, offset);
    const uint32_t size = dg_batch_size(slot, offset);
    return append(L, s, lists, slot->data + offset, size) ? (int)size : -1;
}

/* Returns the first slot that is not in the next event, by the budget of the turn; *count: the datagrams before it. */
static unsigned find_end(const dg_socket *s, unsigned *count)
{
    unsigned at = s->rx.batch_at, room = DG_TURN_MESSAGES - s->rx.handed;
    *count = 0;
    for (uint32_t offset = s->rx.batch_offset; at < s->rx.batch_count; at++, offset = 0) {
        unsigned more = dg_batch_datagrams(dg_arena_slot(s->rx.batch, at), offset);
        if (*count + more > room)
            break;
        *count += more;
    }
    return at;
}

/* Appends what a slot has from an offset on. Returns whether nothing has changed meanwhile. */
static int append_slot(lua_State *L, dg_receive_frame *frame, dg_socket *s, dg_lists *lists, unsigned at,
                       uint32_t offset)
{
    const dg_received *slot = dg_arena_slot(s->rx.batch, at);
    need_rinfo(L, frame, s, lists, slot, offset);
    const char *text = slot->data + offset;
    uint32_t left = slot->length - offset, segment = slot->segment;
    for (; left > segment; text += segment, left -= segment)
        if (!append(L, s, lists, text, segment))
            return 0;
    return append(L, s, lists, text, left);
}

/* Appends the slots from the cursor up to `end`; returns the same. */
static int append_slots(lua_State *L, dg_receive_frame *frame, dg_socket *s, dg_lists *lists, unsigned end)
{
    uint32_t offset = s->rx.batch_offset;
    for (unsigned at = s->rx.batch_at; at < end; at++, offset = 0)
        if (!append_slot(L, frame, s, lists, at, offset))
            return 0;
    return 1;
}

/* All allocating comes first, so no datagram is lost for want of memory. A finalizer that runs meanwhile may run the
 * loop, which delivers these datagrams, or close the socket: then the lists are dropped, and the caller looks again. */
void dg_lists_deliver(lua_State *L, dg_receive_frame *frame, dg_socket *s)
{
    const int top = lua_gettop(L);
    unsigned count, end;
    dg_batch_remove_refused(s);
    end = s->rx.handed < DG_TURN_MESSAGES ? find_end(s, &count) : s->rx.batch_at;
    if (end == s->rx.batch_at) { /* the next turn has room for the slot; each has some hundred datagrams at most */
        s->rx.handed = DG_TURN_MESSAGES;
        return;
    }
    const unsigned outer = s->rx.reader_depth;
    s->rx.reader_depth = s->state->depth;
    dg_lists lists = {.messages = top + 1, .rinfos = top + 2, .rinfo = top + 3, .mark = dg_lists_mark(s)};
    lua_createtable(L, (int)count, 0);
    lua_createtable(L, (int)count, 0);
    lua_pushnil(L);
    int whole = dg_lists_mark(s) == lists.mark && dg_receive_pending(s) && append_slots(L, frame, s, &lists, end);
    dg_receive_release(s, outer);
    if (whole && dg_receive_pending(s) && (s->rx.receiving & DG_TAKES_LISTS)) {
        s->rx.announced = (unsigned char)end;
        while (!dg_receive_wants_messages(s) && s->rx.batch_at < end)
            dg_batch_pass_slot(s);
        lua_rawgeti(L, frame->base, DG_SLOT_LISTS);
        lua_replace(L, lists.rinfo);
        lua_insert(L, lists.messages);
        lua_call(L, 2, 0);
    }
    lua_settop(L, top);
}
