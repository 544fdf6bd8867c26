/* SPDX-License-Identifier: MIT */
/* Names of network interfaces, in the forms that users write: an address of the interface, "::%eth0", "eth0". */
#ifndef DG_NET_INTERFACE_H
#define DG_NET_INTERFACE_H

#include <net/if.h>
#include <netinet/in.h>

#include "attributes.h"

DG_HIDDEN_BEGIN

typedef struct dg_interface {
    unsigned index;         /* as of if_nametoindex(3); 0 leaves the choice to the kernel */
    struct in_addr address; /* the IPv4 address that it was named by, or 0.0.0.0 */
    int is_ipv4;            /* it was named by an IPv4 address, 0.0.0.0 included */
} dg_interface;

/* Finds the interface that `text` names; a wildcard address names none.
 * Returns 0, -EINVAL for text that is neither a literal nor an interface's name, -EADDRNOTAVAIL for an address that no
 * interface has, or -ENODEV for an unknown zone. */
int dg_interface_find(const char *text, dg_interface *out);

/* Returns the index of the interface of this name, or that behind "#", as in "#7"; 0: there is none. */
unsigned dg_interface_index(const char *name);

/* Writes the indexes of the interfaces that are up and can do multicast, at most `room`; returns how many, or a
 * negative errno. */
int dg_interface_list_multicast(unsigned *indexes, int room);

/* Writes the name of an interface, or "#" and its index where it has gone; `fd` is any socket. */
void dg_interface_name(int fd, unsigned index, char name[IF_NAMESIZE]);

DG_HIDDEN_END

#endif
