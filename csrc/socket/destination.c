/* SPDX-License-Identifier: MIT */
#include "destination.h"

int dg_destination_parse(const dg_socket *s, const char *text, size_t length, unsigned port, dg_address *out)
{
    const dg_inet *known = dg_destination_known(s, text, length, port);
    int maps = dg_socket_maps(s);
    if (known != NULL) {
        dg_inet_load(out, known);
        return 0;
    }
    int status = dg_address_parse(out, s->family, maps, text, port);
    if (s->state->addresses == NULL)
        s->state->addresses = dg_cache_new();
    if (status == 0)
        dg_cache_keep(s->state->addresses, out, s->family, maps, text, length, port);
    return status;
}
