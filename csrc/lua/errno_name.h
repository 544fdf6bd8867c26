/* SPDX-License-Identifier: MIT */
/* The symbolic names of errno values (errno.h of POSIX, and those that sockets add). */
#ifndef DG_LUA_ERRNO_NAME_H
#define DG_LUA_ERRNO_NAME_H

#include "../net/attributes.h"

DG_HIDDEN_BEGIN

/* Takes a negative errno; "UNKNOWN" when it has no name here. */
const char *dg_errno_name(int error);
/* The negative errno that has this name; 0 when none has. */
int dg_errno_value(const char *name);

DG_HIDDEN_END

#endif
