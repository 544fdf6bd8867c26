/* SPDX-License-Identifier: MIT */
/* The names of the system's constants for levels and options, whose numbers differ between systems and processors. What
 * the options do, option.h knows of some. */
#ifndef DG_NET_OPTION_NAME_H
#define DG_NET_OPTION_NAME_H

#include "attributes.h"

DG_HIDDEN_BEGIN

/* Finds the number that a name ("SOL_SOCKET", "SO_PRIORITY") has on this system; returns whether there is one. */
int dg_option_name_find(const char *name, int *number);

DG_HIDDEN_END

#endif
