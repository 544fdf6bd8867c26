/* SPDX-License-Identifier: MIT */
#include "lanes.h"

#include <stdlib.h>
#include <string.h>

dg_lane *dg_lanes_find(const dg_socket *s, const dg_address *to)
{
    dg_lane *found = NULL;
    for (dg_lane *lane = s->tx.lanes; lane != NULL; lane = lane->next)
        if (dg_address_equal(&lane->route.to, to))
            found = lane;
    return found;
}

/* Returns whether an older lane of the same destination has to be emptied first. */
static int must_wait(const dg_socket *s, const dg_lane *lane)
{
    for (const dg_lane *older = s->tx.lanes; older != lane; older = older->next)
        if (dg_queue_count(&older->queue) != 0 && dg_address_equal(&older->route.to, &lane->route.to))
            return 1;
    return 0;
}

/* Pushes the table of the lanes' own tables, making it if there is none. */
static void push_tables(lua_State *L, int index)
{
    const int slots = lua_gettop(L) + 1;
    dg_getuservalue(L, index);
    lua_rawgeti(L, slots, DG_SLOT_LANES);
    if (lua_isnil(L, -1)) {
        lua_newtable(L);
        lua_rawgeti(L, slots, DG_SLOT_LANES);
        if (lua_isnil(L, -1)) { /* else a finalizer has made one */
            lua_pop(L, 1);
            lua_pushvalue(L, -1);
            lua_rawseti(L, slots, DG_SLOT_LANES);
        }
    }
    lua_replace(L, slots);
    lua_settop(L, slots);
}

/* Removes the lane's table, if there is one. Allocates nothing. */
static void forget_table(lua_State *L, int index, const dg_lane *lane)
{
    const int top = lua_gettop(L);
    dg_getuservalue(L, index);
    lua_rawgeti(L, -1, DG_SLOT_LANES);
    if (lua_istable(L, -1)) {
        dg_rawgetp(L, top + 2, &lane->callbacks);
        if (!lua_isnil(L, -1)) {
            lua_pushnil(L);
            dg_rawsetp(L, top + 2, &lane->callbacks);
        }
    }
    lua_settop(L, top);
}

/* Makes the lane's table and ring. Arguments: the socket, the lane (a light userdata), how many callbacks it has to
 * hold. */
static int make_tables(lua_State *L)
{
    dg_lane *lane = lua_touserdata(L, 2);
    push_tables(L, 1);
    dg_rawgetp(L, 4, &lane->callbacks);
    if (lua_isnil(L, -1)) {
        lua_createtable(L, DG_SLOTS_AT_FIRST, 0);
        dg_rawsetp(L, 4, &lane->callbacks);
    }
    dg_callbacks_make_room(L, &lane->callbacks, 1, (unsigned)lua_tointeger(L, 3));
    return 0;
}

static dg_lane *new_lane(dg_socket *s, const dg_address *to)
{
    dg_lane *lane = malloc(sizeof *lane);
    if (lane == NULL)
        return NULL;
    memset(lane, 0, sizeof *lane);
    dg_address_copy(&lane->route.to, to);
    dg_queue_init(&lane->queue, &s->state->spare);
    lane->callbacks.of_lane = 1;
    return lane;
}

static void free_lane(dg_lane *lane)
{
    dg_queue_free(&lane->queue);
    free(lane);
}

/* Moves callbacks from the socket's ring to the lane's. */
typedef struct callback_move {
    lua_State *L;
    int index;
    dg_socket *socket;
    dg_lane *lane;
    unsigned carried;
} callback_move;

static uint32_t move_callback(void *context, uint32_t tag)
{
    callback_move *c = context;
    dg_callbacks_push(c->L, &c->socket->tx.callbacks, c->index, tag);
    uint32_t carried = dg_callbacks_add(c->L, &c->lane->callbacks, c->index, lua_gettop(c->L));
    lua_pop(c->L, 1);
    c->carried++;
    return carried | (tag & DG_TAG_LIST);
}

/* Makes all room that the lane needs. The Lua part comes first, because it may run finalizers, which may change the
 * socket's queue. Returns whether there is room for all that waits for the destination now, or -1 without memory. */
static int make_room(lua_State *L, int index, dg_socket *s, dg_lane *lane, size_t places)
{
    size_t bytes, count;
    lua_pushcfunction(L, make_tables);
    lua_pushvalue(L, index);
    lua_pushlightuserdata(L, lane);
    lua_pushinteger(L, (lua_Integer)places);
    if (lua_pcall(L, 3, 0, 0) != 0)
        return -1;
    count = dg_queue_count_to(&s->tx.queue, &lane->route.to, &bytes);
    if (count > places)
        return 0;
    if (dg_queue_make_room(&lane->queue, count, bytes) == 0)
        return 1;
    lua_pushliteral(L, "not enough memory");
    return -1;
}

void dg_lanes_divert(lua_State *L, int index, dg_socket *s)
{
    dg_address to;
    size_t bytes, places;
    int ready;
    dg_lane **end;
    index = dg_absindex(L, index);
    dg_address_copy(&to, &dg_queue_route(&s->tx.queue, dg_queue_waiting(&s->tx.queue, 0))->to);
    dg_lane *lane = new_lane(s, &to);
    if (lane == NULL)
        luaL_error(L, "not enough memory");
    do {
        places = dg_queue_count_to(&s->tx.queue, &to, &bytes);
        ready = make_room(L, index, s, lane, places);
    } while (ready == 0);
    if (ready < 0 || dg_queue_count_to(&s->tx.queue, &to, &bytes) == 0) { /* a finalizer's flush may have sent them */
        forget_table(L, index, lane);
        free_lane(lane);
        if (ready < 0)
            lua_error(L);
        return;
    }
    callback_move c = {L, index, s, lane, 0};
    dg_queue_move(&s->tx.queue, &to, &lane->queue, move_callback, &c);
    dg_callbacks_give_away(L, &s->tx.callbacks, index, c.carried);
    for (end = &s->tx.lanes; *end != NULL;)
        end = &(*end)->next;
    *end = lane;
}

int dg_lanes_try(dg_socket *s)
{
    int progress = 0;
    for (dg_lane *lane = s->tx.lanes; lane != NULL; lane = lane->next) {
        size_t before = dg_queue_count(&lane->queue);
        if (must_wait(s, lane))
            continue;
        dg_transmit(&s->tx.transmitter, &lane->queue, s->fd);
        progress |= dg_queue_count(&lane->queue) != before;
    }
    return progress;
}

dg_lane *dg_lanes_reporting(const dg_socket *s)
{
    dg_lane *lane = s->tx.lanes;
    while (lane != NULL && lane->queue.to_report == 0)
        lane = lane->next;
    return lane;
}

void dg_lanes_sweep(lua_State *L, int index, dg_socket *s)
{
    for (dg_lane **at = &s->tx.lanes; *at != NULL;) {
        dg_lane *lane = *at;
        if (dg_queue_count(&lane->queue) != 0 || lane->queue.to_report != 0) {
            at = &lane->next;
            continue;
        }
        *at = lane->next;
        forget_table(L, index, lane);
        free_lane(lane);
    }
}

size_t dg_lanes_count(const dg_socket *s)
{
    size_t count = 0;
    for (const dg_lane *lane = s->tx.lanes; lane != NULL; lane = lane->next)
        count += dg_queue_count(&lane->queue);
    return count;
}

size_t dg_lanes_bytes(const dg_socket *s)
{
    size_t bytes = 0;
    for (const dg_lane *lane = s->tx.lanes; lane != NULL; lane = lane->next)
        bytes += dg_queue_bytes(&lane->queue);
    return bytes;
}

size_t dg_lanes_give_up(dg_socket *s, int error, int silent)
{
    size_t count = 0;
    for (dg_lane *lane = s->tx.lanes; lane != NULL; lane = lane->next)
        count += dg_queue_give_up(&lane->queue, error, silent);
    return count;
}

void dg_lanes_free(dg_socket *s)
{
    while (s->tx.lanes != NULL) {
        dg_lane *lane = s->tx.lanes;
        s->tx.lanes = lane->next;
        free_lane(lane);
    }
}
