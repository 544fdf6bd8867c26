/* SPDX-License-Identifier: MIT */
/* Names of network interfaces, in the forms that users write: an address of the interface, "::%eth0", "eth0". */
#ifndef DG_NET_INTERFACE_H
#define DG_NET_INTERFACE_H

#include "hidden.h"

DG_HIDDEN_BEGIN

/* Writes the interface's index (if_nametoindex(3)), 0 for a wildcard address (the kernel's choice).
 * Returns 0, -EINVAL for text that is neither a literal nor an interface's name, -EADDRNOTAVAIL for an address that no
 * interface has, or -ENODEV for an unknown zone. */
int dg_interface_index(const char *text, unsigned *index);

DG_HIDDEN_END

#endif
