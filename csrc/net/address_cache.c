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

/* Returns the slot of this very place and key, or else an empty one, or else one of another text. */
static dg_cache_slot *choose_slot(dg_address_cache *cache, const char *text, uint32_t key, unsigned port)
{
    dg_cache_slot *empty = NULL;
    for (unsigned probe = 0; probe < DG_CACHE_PROBES; probe++) {
        dg_cache_slot *slot = &cache->slots[dg_cache_index(text, port, probe)];
        if (slot->at == text && slot->key == key)
            return slot;
        if (slot->key == 0 && empty == NULL)
            empty = slot;
    }
    if (empty != NULL)
        return empty;
    return &cache->slots[dg_cache_index(text, port, cache->replaced++ % DG_CACHE_PROBES)];
}

void dg_cache_keep(dg_address_cache *cache, const dg_address *parsed, int family, int mapped, const char *text,
                   size_t length, unsigned port)
{
    if (cache == NULL || length > DG_CACHE_TEXT || memchr(text, '%', length) != NULL)
        return;
    const uint32_t key = dg_cache_key(family, mapped, length, port);
    dg_cache_slot *slot = choose_slot(cache, text, key, port);
    slot->at = text;
    slot->key = key;
    memcpy(slot->text, text, length);
    dg_inet_store(&slot->address, parsed);
}
