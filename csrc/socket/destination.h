/* SPDX-License-Identifier: MIT */
/* From a literal and a port to an address, through the cache of those that were parsed lately (net/address_cache.h). */
#ifndef DG_SOCKET_DESTINATION_H
#define DG_SOCKET_DESTINATION_H

#include "socket.h"

DG_HIDDEN_BEGIN

/* A literal that is in the cache; NULL for all others. */
static inline const dg_inet *dg_destination_known(const dg_socket *s, const char *text, size_t length, unsigned port)
{
    return dg_cache_find(s->state->addresses, s->family, dg_socket_maps(s), text, length, port);
}

/* Parses a text that ends with a NUL byte, and keeps what it says. Returns what dg_address_parse does. */
int dg_destination_parse(const dg_socket *s, const char *text, size_t length, unsigned port, dg_address *out);

/* The sender of a message has this text: servers answer it. Keeps it once the program has sent something. */
static inline void dg_destination_keep_sender(const dg_socket *s, const char *text, size_t length,
                                              const dg_address *sender)
{
    if (s->state->addresses != NULL)
        dg_cache_keep(s->state->addresses, sender, s->family, dg_socket_maps(s), text, length, dg_address_port(sender));
}

DG_HIDDEN_END

#endif
