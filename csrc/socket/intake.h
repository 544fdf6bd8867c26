/* SPDX-License-Identifier: MIT */
/* The options of createSocket that limit what the kernel delivers: `interface` and `multicastAll`. They hold for an
 * adopted descriptor, too. */
#ifndef DG_SOCKET_INTAKE_H
#define DG_SOCKET_INTAKE_H

#include "../net/attributes.h"
#include "../lua/compat.h"

DG_HIDDEN_BEGIN

/* Sets the options at two stack indexes, interface (a name) and multicastAll (a boolean), on a descriptor; nil leaves
 * one as it is. Raises ENODEV, ENOTSUP, and what setsockopt(2) says. */
void dg_intake_set(lua_State *L, int index, int fd, int family);
/* Adds core.setIntake; core and the table of methods are on top of the stack. */
void dg_intake_open(lua_State *L);

DG_HIDDEN_END

#endif
