/* SPDX-License-Identifier: MIT */
#include "send_many.h"

#include "send_queue.h"
#include "work.h"

/* Queues strings of the list, from number `first` up to number `last`, while the queue has credit. It stops at anything
 * else, such as a value that is no string in a list that a finalizer has changed. Returns how many it queued. */
static size_t append_within_credit(lua_State *L, dg_socket *s, int list, size_t first, size_t last, const dg_inet *to,
                                   const dg_reporting *reporting)
{
    const int top = lua_gettop(L);
    dg_list_callback *list_callback = reporting->list_callback;
    size_t i = first, length = 0;
    /* One place is enough: no other callback can be added meanwhile, so all datagrams but the first share it. */
    int more = s->tx.queue.credit_count != 0 && (list_callback == NULL || dg_callbacks_have_room(&s->tx.callbacks));
    for (; more && i <= last; i++) {
        uint32_t tag = DG_TAG_NONE;
        if (i % DG_POP_AT_ONCE == 0)
            lua_settop(L, top);
        const char *text = dg_rawgeti(L, list, i) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
        if (text == NULL || !dg_queue_has_credit(&s->tx.queue, length))
            break;
        if (list_callback != NULL) {
            tag = dg_callbacks_add(L, &s->tx.callbacks, 1, reporting->callback) | (uint32_t)DG_TAG_LIST;
            list_callback->pending++;
        }
        more = dg_queue_append(&s->tx.queue, text, length, to, tag);
    }
    lua_settop(L, top);
    if (i != first)
        dg_send_queue_go_on(L, s, length);
    return i - first;
}

/* The whole list is queued. If nothing of it waits, its callback is called later. */
static void complete(lua_State *L, const dg_reporting *reporting)
{
    dg_list_callback *list_callback = reporting->list_callback;
    if (list_callback == NULL)
        return;
    list_callback->complete = 1;
    if (!dg_list_callback_is_done(list_callback))
        return;
    dg_list_callback_push_result(L, reporting->callback);
    dg_work_call(L, 1);
}

/* The destination of a list when the method was called. A finalizer that runs between two datagrams may connect the
 * socket to another peer; the rest of the list still goes to the first one. */
typedef struct destination {
    dg_route route;      /* length 0 of `to`: the peer */
    dg_inet plain;       /* the same for append_within_credit; unused for Unix, where there is no credit */
    dg_address peer;     /* the connected peer; length 0: none */
    unsigned connection; /* peer.serial of the socket */
} destination;

static void use_address(destination *t, const dg_socket *s, const dg_address *to)
{
    dg_address_copy(&t->route.to, to);
    t->plain.length = 0;
    if (s->family != AF_UNIX)
        dg_inet_store(&t->plain, to);
}

static void set_destination(destination *t, const dg_socket *s, const dg_route *route)
{
    t->route.options = route->options;
    use_address(t, s, &route->to);
    t->connection = s->peer.serial;
    if (route->to.length == 0 && s->peer.state == DG_CONNECTED)
        dg_address_copy(&t->peer, s->peer.address);
    else
        t->peer.length = 0;
}

static void keep_destination(destination *t, const dg_socket *s)
{
    if (t->connection != s->peer.serial && t->route.to.length == 0 && t->peer.length != 0)
        use_address(t, s, &t->peer);
}

static int put_all(lua_State *L, dg_socket *s, int list, const dg_route *route, int callback)
{
    const size_t count = dg_rawlen(L, list);
    dg_reporting reporting = {0, NULL};
    destination t;
    int has_room = 1;
    set_destination(&t, s, route);
    if (callback != 0) {
        reporting.list_callback = dg_list_callback_new(L, callback);
        reporting.callback = lua_gettop(L);
    }
    for (size_t i = 1; i <= count; i++) {
        dg_payload payload = {0, 0, NULL, 0};
        keep_destination(&t, s);
        lua_rawgeti(L, list, (int)i);
        payload.text = lua_tolstring(L, -1, &payload.length);
        has_room = dg_send_queue_put(L, s, &payload, &t.route, &reporting);
        lua_pop(L, 1);
        keep_destination(&t, s);
        /* The last one goes through dg_send_queue_put, which returns the method's result. */
        if (i + 1 < count && t.route.options.set == 0)
            i += append_within_credit(L, s, list, i + 1, count - 1, &t.plain, &reporting);
    }
    complete(L, &reporting);
    return has_room;
}

int dg_send_many(lua_State *L, dg_socket *s, int list, const dg_route *route, int callback)
{
    int now = dg_send_queue_goes_now(L, s), has_room = put_all(L, s, list, route, callback);
    return now ? dg_send_queue_go_now(L, s, has_room) : has_room;
}
