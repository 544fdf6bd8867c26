/* SPDX-License-Identifier: MIT */
/* From a literal and a port to an address, through the address cache (net/address_cache.h). Names are
 * send_names.h's. */
#ifndef DG_SOCKET_DESTINATION_H
#define DG_SOCKET_DESTINATION_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* Returns the address of a literal that is in the cache, or NULL. */
static inline const dg_inet *dg_destination_known(const dg_socket *s, const char *text, size_t length, unsigned port)
{
    return dg_cache_find(s->state->addresses, s->family, dg_socket_maps(s), text, length, port);
}

/* Parses a text that ends with a NUL byte, and puts the address into the cache. Returns what dg_address_parse does. */
int dg_destination_parse(const dg_socket *s, const char *text, size_t length, unsigned port, dg_address *out);

/* Puts the sender of a message, whose address has this text, into the cache: an answer is likely. A program that has
 * sent nothing so far has no cache, and gets none. */
static inline void dg_destination_keep_sender(const dg_socket *s, const char *text, size_t length,
                                              const dg_address *sender)
{
    if (s->state->addresses != NULL)
        dg_cache_keep(s->state->addresses, sender, s->family, dg_socket_maps(s), text, length, dg_address_port(sender));
}

DG_HIDDEN_END

#endif
