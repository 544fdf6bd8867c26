/* SPDX-License-Identifier: MIT */
/* The options of single datagrams: from send's table, or from the rinfo that reply was given, to a route's options
 * (net/route.h). */
#ifndef DG_SOCKET_SEND_OPTIONS_H
#define DG_SOCKET_SEND_OPTIONS_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Reads the table at the index (0: there is none). Raises for names, types and ranges that are wrong, for a
 * localAddress that is no literal, and on a Unix socket. Returns 0, or a negative errno that is the datagram's error;
 * *advice is for its message then, or NULL. Allocates no Lua memory unless it raises. */
int dg_send_options_read(lua_State *L, const dg_socket *s, int index, dg_send_options *out, const char **advice);
/* Has an answer to route->to come from the address that its sender had sent to, which is at `local`. The interface's
 * name at `interface_name` counts where one of both addresses is link-local: any other answer may leave by another
 * interface than the question came by. Values that are no strings, and addresses that nobody can send from, such as a
 * group, are passed over. Returns 0 or a negative errno. Raises nothing. */
int dg_send_options_of_answer(lua_State *L, const dg_socket *s, int local, int interface_name, dg_route *route);
/* Returns whether the kernel may refuse options with this negative errno. */
static inline int dg_send_options_may_fail(int error)
{
    return error == -EINVAL || error == -ENETUNREACH || error == -EADDRNOTAVAIL || error == -ENODEV ||
           error == -ENOTSUP;
}
/* Pushes the error object of a datagram with options that has failed so. */
void dg_send_options_push_error(lua_State *L, const dg_socket *s, int error, const dg_route *route);
/* Returns the advice for a datagram whose options do not fit its destination (dg_route_fit). */
const char *dg_send_options_unfit(void);

DG_HIDDEN_END

#endif
