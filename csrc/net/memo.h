/* SPDX-License-Identifier: MIT */
/* Literals that were parsed lately, for all sockets of a state: programs send to the same few again and again, and
 * finding one here costs a fraction of parsing it. */
#ifndef DG_NET_MEMO_H
#define DG_NET_MEMO_H

#include <stdint.h>

#include "address.h"

DG_HIDDEN_BEGIN

enum { DG_MEMO_BITS = 7, DG_MEMO_WAYS = 4, DG_MEMO_TEXT = INET6_ADDRSTRLEN };

/* What was parsed: the text, for a kind of socket, with a port. */
typedef struct dg_memo_place {
    const char *at; /* where the text was: other texts may be there by now, so this alone proves nothing */
    uint32_t key;   /* of length, kind and port; 0 while it is empty */
    char text[DG_MEMO_TEXT];
    dg_inet address;
} dg_memo_place;

typedef struct dg_memo {
    const dg_memo_place *last;                           /* the place where something was found */
    dg_memo_place sets[1 << DG_MEMO_BITS][DG_MEMO_WAYS]; /* of each set the last one is the oldest */
} dg_memo;

/* An empty one, or NULL without memory. */
dg_memo *dg_memo_new(void);
void dg_memo_free(dg_memo *memo);

/* What of a socket decides how it takes a literal, and the rest of what has to be the same. */
static inline uint32_t dg_memo_key(int family, int mapped, size_t length, unsigned port)
{
    uint32_t kind = family == AF_INET ? 1 : mapped ? 2 : 3;
    return (uint32_t)length << 24 | kind << 16 | port;
}

/* The set of a text: by its place in memory, not by its bytes, as a string that a program sends to does not move. The
 * port counts too, because several peers may share an address. */
static inline size_t dg_memo_index(const char *text, unsigned port)
{
    uint64_t mixed = ((uint64_t)(uintptr_t)text >> 4 ^ (uint64_t)port << 40) * UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 32) *
            UINT64_C(0xd6e8feb86659fd93); /* once alone leaves strings at equal distances in a few sets */
    return (size_t)(mixed >> (64 - DG_MEMO_BITS));
}

/* Most IPv4 literals have 8 to 15 characters: a call would cost more than comparing them. */
static inline int dg_memo_same_text(const char *a, const char *b, size_t length)
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

static inline int dg_memo_is(const dg_memo_place *place, const char *text, size_t length, uint32_t key)
{
    return place->at == text && place->key == key && dg_memo_same_text(place->text, text, length);
}

/* What dg_address_parse would make of `text` (of `length` bytes), if it did so lately, or NULL. It stays there until
 * something else is remembered. */
static inline const dg_inet *dg_memo_find(dg_memo *memo, int family, int mapped, const char *text, size_t length,
                                          unsigned port)
{
    if (memo == NULL || length > DG_MEMO_TEXT)
        return NULL;
    uint32_t key = dg_memo_key(family, mapped, length, port);
    if (dg_memo_is(memo->last, text, length, key)) /* most programs send to the same again */
        return &memo->last->address;
    const dg_memo_place *place = memo->sets[dg_memo_index(text, port)], *end = place + DG_MEMO_WAYS;
    for (; place != end; place++)
        if (dg_memo_is(place, text, length, key)) {
            memo->last = place;
            return &place->address;
        }
    return NULL;
}

/* Remembers what it made, unless a zone is in it: what that stands for changes with the interfaces. */
void dg_memo_keep(dg_memo *memo, const dg_address *parsed, int family, int mapped, const char *text, size_t length,
                  unsigned port);

DG_HIDDEN_END

#endif
