/* SPDX-License-Identifier: MIT */
/* A cache of parsed literals, for all sockets of a state. Programs send to the same few addresses again and again, and
 * finding one here costs a fraction of parsing it. The first slot for a text follows from its place in memory, because
 * Lua's strings do not move; where others have that slot, it may be in the next ones. */
#ifndef DG_NET_ADDRESS_CACHE_H
#define DG_NET_ADDRESS_CACHE_H

#include <stdint.h>

#include "address.h"

DG_HIDDEN_BEGIN

enum { DG_CACHE_SLOTS = 256, DG_CACHE_PROBES = 4, DG_CACHE_TEXT = INET6_ADDRSTRLEN };

/* A parsed literal: its text, for a kind of socket, with a port. */
typedef struct dg_cache_slot {
    const char *at; /* where the text was; another text may be there by now, so the texts are compared, too */
    uint32_t key;   /* dg_cache_key; 0: the slot is empty */
    char text[DG_CACHE_TEXT];
    dg_inet address;
} dg_cache_slot;

typedef struct dg_address_cache {
    dg_cache_slot slots[DG_CACHE_SLOTS];
    unsigned replaced; /* how often a text took a slot in use: it decides which slot is next */
} dg_address_cache;

/* Makes an empty cache, or returns NULL without memory. */
dg_address_cache *dg_cache_new(void);
void dg_cache_free(dg_address_cache *cache);

/* Everything but the text that decides about the parsed address: the kind of socket and the port; and the text's
 * length. */
static inline uint32_t dg_cache_key(int family, int mapped, size_t length, unsigned port)
{
    uint32_t kind = family == AF_INET ? 1 : mapped ? 2 : 3;
    return (uint32_t)length << 24 | kind << 16 | port;
}

/* The port counts, too: several peers may have one address. */
static inline size_t dg_cache_index(const char *text, unsigned port, unsigned probe)
{
    return (((size_t)(uintptr_t)text >> 4) + 37U * port + probe) % DG_CACHE_SLOTS;
}

/* Most IPv4 literals have 8 to 15 characters. Two overlapping words compare them, which costs less than a call. */
static inline int dg_cache_same_text(const char *a, const char *b, size_t length)
{
    uint64_t first[2], last[2];
    if (length < sizeof first[0] || length > 2 * sizeof first[0])
        return memcmp(a, b, length) == 0;
    memcpy(&first[0], a, sizeof first[0]);
    memcpy(&first[1], b, sizeof first[1]);
    memcpy(&last[0], a + length - sizeof last[0], sizeof last[0]);
    memcpy(&last[1], b + length - sizeof last[1], sizeof last[1]);
    return first[0] == first[1] && last[0] == last[1];
}

/* Returns the address that dg_address_parse made of `text` (of `length` bytes), or NULL if it is not in the cache. The
 * pointer is valid until the next dg_cache_keep. */
static inline const dg_inet *dg_cache_find(const dg_address_cache *cache, int family, int mapped, const char *text,
                                           size_t length, unsigned port)
{
    if (cache == NULL || length > DG_CACHE_TEXT)
        return NULL;
    const uint32_t key = dg_cache_key(family, mapped, length, port);
    for (unsigned probe = 0; probe < DG_CACHE_PROBES; probe++) {
        const dg_cache_slot *slot = &cache->slots[dg_cache_index(text, port, probe)];
        if (slot->at == text && slot->key == key && dg_cache_same_text(slot->text, text, length))
            return &slot->address;
    }
    return NULL;
}

/* Puts a parsed address into the cache, unless it has a zone: which interface that names may change. */
void dg_cache_keep(dg_address_cache *cache, const dg_address *parsed, int family, int mapped, const char *text,
                   size_t length, unsigned port);

DG_HIDDEN_END

#endif
