/* SPDX-License-Identifier: MIT */
/* setOption and getOption, for socket options that have no method of their own. What they mean is between the program
 * and the kernel. Only what the socket itself has to know is read back. */
#ifndef DG_API_RAW_OPTIONS_H
#define DG_API_RAW_OPTIONS_H

#include "../net/attributes.h"
#include "../lua/compat.h"

DG_HIDDEN_BEGIN

/* Adds the methods. The stack is as for dg_socket_open. */
void dg_raw_options_open(lua_State *L);

DG_HIDDEN_END

#endif
