/* SPDX-License-Identifier: MIT */
/* The methods that get and set the sizes of the kernel's buffers for a socket. */
#ifndef DG_SOCKET_BUFFERS_H
#define DG_SOCKET_BUFFERS_H

#include "../net/attributes.h"
#include "../lua/compat.h"

DG_HIDDEN_BEGIN

/* Sets the sizes at two stack indexes, receive and send, on a descriptor; nil leaves one as it is. Raises
 * ERR_SOCKET_BUFFER_SIZE. */
void dg_buffers_set(lua_State *L, int index, int fd, int family);
/* Adds the methods. The stack is as for dg_socket_open. */
void dg_buffers_open(lua_State *L);

DG_HIDDEN_END

#endif
