/* SPDX-License-Identifier: MIT */
#include "follow.h"

#include "receive.h"

enum {
    SURE = 4,          /* times in a row, after the first, that one socket came after the other */
    MOST_DOUBT = 1023, /* chances that are let go after failures */
};

/* Whether the last dispatch handed something to the kernel. */
static int last_dispatch_sent(const dg_hub *hub)
{
    return hub->sent_in == hub->dispatches;
}

static void doubt(dg_hub *hub)
{
    hub->doubt = hub->doubt < MOST_DOUBT ? 2 * hub->doubt + 1 : hub->doubt;
    hub->chances_to_skip = hub->doubt;
}

void dg_follow_learn(dg_hub *hub, dg_socket *s)
{
    dg_socket *before = hub->before;
    int in_vain = s->followed && dg_receive_found_nothing(s);
    s->followed = 0;
    if (in_vain) { /* the loop had its event already when it was asked out of turn */
        doubt(hub);
        return;
    }
    if (before == NULL || hub->depth != 0 || !last_dispatch_sent(hub))
        return;
    if (before->follower != s) {
        before->follower = s;
        before->follower_place = (unsigned char)(1 + hub->followers++ % DG_FOLLOWER_PLACES);
        before->follows = 0;
    } else if (before->follows < SURE) {
        before->follows++;
    }
}

/* Pushes the one that follows, or nil where it is gone: nothing but its address is known. Among thousands one is far
 * from every cache, so those that were learnt last have places in a small table, made with room for them: nothing is
 * allocated. */
static dg_socket *push_follower(lua_State *L, const dg_socket *s)
{
    dg_hub_get(L, DG_STORE_FOLLOWERS);
    lua_rawgeti(L, -1, s->follower_place);
    if (lua_touserdata(L, -1) != s->follower) {
        lua_pop(L, 1);
        dg_socket_push(L, s->follower);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, s->follower_place);
    }
    lua_remove(L, -2);
    return lua_touserdata(L, -1);
}

dg_socket *dg_follow_guess(lua_State *L, dg_hub *hub, const dg_socket *s)
{
    if (s->follows < SURE || !last_dispatch_sent(hub))
        return NULL;
    if (hub->chances_to_skip != 0) {
        hub->chances_to_skip--;
        return NULL;
    }
    dg_socket *next = push_follower(L, s);
    if (next != NULL && dg_receive_early(next)) {
        hub->doubt /= 2;
        next->followed = 1;
        return next;
    }
    lua_pop(L, 1);
    doubt(hub);
    return NULL;
}

void dg_follow_forget(dg_hub *hub, const dg_socket *s)
{
    if (hub->before == s)
        hub->before = NULL;
}
