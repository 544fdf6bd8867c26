/* SPDX-License-Identifier: MIT */
/* One callback for the datagrams of a list: it is called when all of them are done, with the first error and how many
 * went. The socket's ring of callbacks (callbacks.h) holds the group in the callback's place, so that lists which are
 * sent in the midst of each other, as finalizers may, keep their own counts. */
#ifndef DG_SOCKET_LIST_CALLBACK_H
#define DG_SOCKET_LIST_CALLBACK_H

#include "../net/attributes.h"
#include "../lua/compat.h"

DG_HIDDEN_BEGIN

/* A userdata. */
typedef struct dg_list_callback {
    size_t pending; /* datagrams that are queued, and not told of yet */
    size_t sent;
    int complete; /* no more will be queued */
} dg_list_callback;

/* Makes one for the function at an index; pushes it. */
dg_list_callback *dg_list_callback_new(lua_State *L, int callback);
/* Notes the error on top of the stack for the group at an index, unless there was one before; pops it. */
void dg_list_callback_fail(lua_State *L, int index);
/* Pushes its callback, and what that is called with: the error or nil, the count. */
void dg_list_callback_push_result(lua_State *L, int index);

static inline int dg_list_callback_is_done(const dg_list_callback *group)
{
    return group->complete && group->pending == 0;
}

DG_HIDDEN_END

#endif
