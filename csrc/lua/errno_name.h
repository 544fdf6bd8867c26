/* SPDX-License-Identifier: MIT */
/* The symbolic names of errno values (errno.h of POSIX, and those that sockets add). */
#ifndef DG_LUA_ERRNO_NAME_H
#define DG_LUA_ERRNO_NAME_H

#include "../net/attributes.h"

DG_HIDDEN_BEGIN

/* Returns the name of a negative errno, or "UNKNOWN". */
const char *dg_errno_name(int error);
/* Returns the negative errno that has this name, or 0. */
int dg_errno_value(const char *name);

DG_HIDDEN_END

#endif
