/* SPDX-License-Identifier: MIT */
/* One callback for the datagrams of a list: it is called when all of them are done, with the first error and how many
 * went. The socket's ring of callbacks (callbacks.h) holds the group in the callback's place, so that lists which are
 * sent in the midst of each other, as finalizers may, keep their own counts. */
#ifndef DG_BINDING_GROUP_H
#define DG_BINDING_GROUP_H

#include "../net/attributes.h"
#include "compat.h"

DG_HIDDEN_BEGIN

/* A userdata. */
typedef struct dg_group {
    size_t pending; /* datagrams that are queued, and not told of yet */
    size_t sent;
    int complete; /* no more will be queued */
} dg_group;

/* Makes one for the function at an index; pushes it. */
dg_group *dg_group_new(lua_State *L, int callback);
/* Notes the error on top of the stack for the group at an index, unless there was one before; pops it. */
void dg_group_fail(lua_State *L, int index);
/* Pushes its callback, and what that is called with: the error or nil, the count. */
void dg_group_push_result(lua_State *L, int index);

static inline int dg_group_is_done(const dg_group *group)
{
    return group->complete && group->pending == 0;
}

DG_HIDDEN_END

#endif
