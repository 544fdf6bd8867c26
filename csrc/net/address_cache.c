/* SPDX-License-Identifier: MIT */
#include "address_cache.h"

#include <stdlib.h>

dg_address_cache *dg_cache_new(void)
{
    dg_address_cache *cache = malloc(sizeof *cache);
    if (cache != NULL)
        memset(cache, 0, sizeof *cache);
    return cache;
}

void dg_cache_free(dg_address_cache *cache)
{
    free(cache);
}

void dg_cache_keep(dg_address_cache *cache, const dg_address *parsed, int family, int mapped, const char *text,
                   size_t length, unsigned port)
{
    if (cache == NULL || length > DG_CACHE_TEXT || memchr(text, '%', length) != NULL)
        return;
    dg_cache_slot *slot = &cache->slots[dg_cache_index(text, port)];
    slot->at = text;
    slot->key = dg_cache_key(family, mapped, length, port);
    memcpy(slot->text, text, length);
    dg_inet_store(&slot->address, parsed);
}
