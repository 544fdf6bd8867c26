/* SPDX-License-Identifier: MIT */
/* The list callback: one callback for all datagrams of a list. It is called when all of them are done, with the first
 * error and how many were sent. The socket's ring of callbacks (callbacks.h) holds this userdata in the callback's
 * place. So two lists keep their own counts, even if a finalizer sends the second one while the first is being
 * queued. */
#ifndef DG_SOCKET_LIST_CALLBACK_H
#define DG_SOCKET_LIST_CALLBACK_H

#include "../net/attributes.h"
#include "../lua/compat.h"

DG_HIDDEN_BEGIN

typedef struct dg_list_callback {
    size_t pending; /* datagrams that are queued and not reported */
    size_t sent;    /* datagrams that were sent */
    int complete;   /* no more datagrams will be queued */
} dg_list_callback;

/* Makes and pushes a list callback for the function at an index. */
dg_list_callback *dg_list_callback_new(lua_State *L, int callback);
/* Pops an error; it is the first error of the list callback at an index, unless there was one before. */
void dg_list_callback_fail(lua_State *L, int index);
/* Pushes its function and that function's arguments: the first error or nil, the count. */
void dg_list_callback_push_result(lua_State *L, int index);

static inline int dg_list_callback_is_done(const dg_list_callback *list_callback)
{
    return list_callback->complete && list_callback->pending == 0;
}

DG_HIDDEN_END

#endif
