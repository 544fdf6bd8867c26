/* SPDX-License-Identifier: MIT */
/* The methods that set and get socket options. */
#ifndef DG_BINDING_OPTIONS_H
#define DG_BINDING_OPTIONS_H

#include "../net/attributes.h"
#include "compat.h"

DG_HIDDEN_BEGIN

/* Adds them to the table of methods on top of the stack. */
void dg_options_open(lua_State *L);

/* Sets the buffer sizes of a descriptor that no socket has yet: the receive buffer's at `index` of the stack, the send
 * buffer's behind it; nil leaves one as it is. Raises ERR_SOCKET_BUFFER_SIZE. */
void dg_options_set_buffers(lua_State *L, int index, int fd, int family);

DG_HIDDEN_END

#endif
