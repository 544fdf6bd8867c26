/* SPDX-License-Identifier: MIT */
#include "want.h"

enum {
    FEW = DG_WANT_AT_FIRST,
    MOST_LUCK = 8,
    MOST_BYTES = 256 * 1024, /* in a batch: more would leave the cache before it is delivered */
    EARLY_MISSES = 4,        /* do not tell much yet */
    MOST_MISSES = EARLY_MISSES + 5,
};

/* How many receives of one slot there are before several are offered again; it takes EARLY_MISSES to get there. */
static unsigned patience(const dg_socket *s)
{
    return 1U << (s->misses - EARLY_MISSES + 1);
}

/* How many slots there is a use for, by what the first one holds. */
static unsigned most_slots(const dg_socket *s)
{
    uint32_t length = dg_arena_slot(s->batch, 0)->length;
    return length > MOST_BYTES / DG_SLOTS ? MOST_BYTES / length : DG_SLOTS;
}

/* At intervals there are several for certain: the receive comes to an empty slot anyway, and further ones cost next to
 * nothing; a second receive would. */
static void adapt_to_interval(dg_socket *s, unsigned got)
{
    s->linger = got == s->want;
    if (s->linger) {
        unsigned most = most_slots(s);
        s->want = 2 * s->want < most ? 2 * s->want : most;
    } else if (2 * got < s->want && s->want > 2 * FEW) {
        s->want--;
    }
}

void dg_want_adapt(dg_socket *s, unsigned got, int coalesced)
{
    unsigned offered = s->want;
    if (s->moderated) {
        adapt_to_interval(s, got);
        return;
    }
    if (s->linger)
        s->luck = (unsigned char)(got == 0 ? s->luck / 2 : s->luck + (s->luck < MOST_LUCK));
    s->linger = 0;
    if (got > 1 || coalesced) {
        s->linger = got == offered || s->luck > MOST_LUCK / 2;
        s->misses = 0;
        unsigned fitting = got == offered ? offered * 2 : got, most = most_slots(s);
        fitting = fitting < most ? fitting : most;
        s->want = fitting > FEW ? fitting : FEW;
    } else if (offered == 1) {
        if (got == 1 && ++s->streak >= patience(s))
            s->want = FEW;
    } else {
        s->misses += got == 1 && s->misses < MOST_MISSES;
        s->want = s->misses < EARLY_MISSES ? FEW : 1;
        s->streak = 0;
    }
}
