/* SPDX-License-Identifier: MIT */
#include "blocklist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t big_endian(const unsigned char *bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return value;
}

dg_key dg_key_of(const dg_address *address)
{
    dg_key key = {0, 0};
    if (address->u.any.sa_family == AF_INET6) {
        key.high = big_endian(address->u.in6.sin6_addr.s6_addr);
        key.low = big_endian(address->u.in6.sin6_addr.s6_addr + 8);
    } else {
        key.low = UINT64_C(0xffff) << 32 | ntohl(address->u.in.sin_addr.s_addr);
    }
    return key;
}

int dg_key_less(dg_key a, dg_key b)
{
    return a.high != b.high ? a.high < b.high : a.low < b.low;
}

/* The lowest `bits` of 64, set. */
static uint64_t low_bits(unsigned bits)
{
    return bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

dg_key_range dg_key_subnet(const dg_address *address, unsigned prefix)
{
    unsigned width = address->u.any.sa_family == AF_INET6 ? 128 : 32, host = width - prefix;
    dg_key key = dg_key_of(address);
    uint64_t low = low_bits(host), high = host > 64 ? low_bits(host - 64) : 0;
    dg_key_range range = {{key.high & ~high, key.low & ~low}, {key.high | high, key.low | low}};
    return range;
}

/* The first range that does not end before the key; `count` when all do. */
static size_t find(const dg_blocklist *list, dg_key key)
{
    size_t from = 0, to = list->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (dg_key_less(list->ranges[middle].last, key))
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static int make_room(dg_blocklist *list)
{
    if (list->count < list->room)
        return 0;
    size_t room = list->room != 0 ? 2 * list->room : 8;
    dg_key_range *ranges = realloc(list->ranges, room * sizeof *ranges);
    if (ranges == NULL)
        return -ENOMEM;
    list->ranges = ranges;
    list->room = room;
    return 0;
}

int dg_blocklist_add(dg_blocklist *list, dg_key_range range)
{
    if (make_room(list) != 0)
        return -ENOMEM;
    size_t at = find(list, range.first), end = at;
    /* Those that it meets become one with it. */
    while (end < list->count && !dg_key_less(range.last, list->ranges[end].first)) {
        if (dg_key_less(list->ranges[end].first, range.first))
            range.first = list->ranges[end].first;
        if (dg_key_less(range.last, list->ranges[end].last))
            range.last = list->ranges[end].last;
        end++;
    }
    memmove(list->ranges + at + 1, list->ranges + end, (list->count - end) * sizeof range);
    list->ranges[at] = range;
    list->count = list->count - (end - at) + 1;
    return 0;
}

int dg_blocklist_has(const dg_blocklist *list, const dg_address *address)
{
    if (address->length == 0 || address->u.any.sa_family == AF_UNIX)
        return 0;
    dg_key key = dg_key_of(address);
    size_t at = find(list, key);
    return at < list->count && !dg_key_less(key, list->ranges[at].first);
}

void dg_blocklist_free(dg_blocklist *list)
{
    free(list->ranges);
    memset(list, 0, sizeof *list);
}
