/* SPDX-License-Identifier: MIT */
/* Binding, and the socket's own address. Names are not looked up here: lua/dgram/lookup.lua does that, and calls again
 * with a literal. */
#ifndef DG_SOCKET_BIND_H
#define DG_SOCKET_BIND_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Does all allocating of a bind, before anything is bound: luv watches the descriptor, and the `listening` event is
 * prepared. Stores in `has_event` whether dg_work_commit or dg_work_cancel has to follow. Returns 0 with the error on
 * top of the stack where it fails. Until the bind is done no Lua memory may be allocated. */
int dg_bind_prepare(lua_State *L, int index, dg_socket *s, int *has_event);
/* Binds to any free port (or Unix name) if the socket is unbound; `listening` follows. Returns 0 or a negative
 * errno. */
int dg_bind_bind_any(lua_State *L, int index, dg_socket *s);

/* Parses the address of core's arguments (socket, port | nil, text | nil); without a text `absent` makes it. Returns 0,
 * DG_NOT_A_LITERAL or a negative errno. */
int dg_bind_parse(lua_State *L, const dg_socket *s, dg_address *out, unsigned *port,
                  void (*absent)(dg_address *out, int family, unsigned port));
/* Pushes what core.bind and core.connect return: true, or false for a name, or nil and the error object. */
int dg_bind_answer(lua_State *L, int status, const char *syscall, const dg_address *address, unsigned port);
/* Pushes {address, family, port}, for Unix sockets {address, family}; returns 1. */
int dg_bind_push_address(lua_State *L, const dg_address *address);

/* A bind does not wait for a name any more. */
static inline void dg_bind_end_lookup(dg_socket *s)
{
    if (s->local.state == DG_BINDING)
        s->local.state = DG_UNBOUND;
}

/* Adds address; core.bind and what goes with it. The stack is as for dg_socket_open. */
void dg_bind_open(lua_State *L);

DG_HIDDEN_END

#endif
