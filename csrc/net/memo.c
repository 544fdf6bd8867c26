/* SPDX-License-Identifier: MIT */
#include "memo.h"

#include <stdlib.h>

dg_memo *dg_memo_new(void)
{
    dg_memo *memo = malloc(sizeof *memo);
    if (memo == NULL)
        return NULL;
    memset(memo, 0, sizeof *memo);
    memo->last = memo->sets[0];
    return memo;
}

void dg_memo_free(dg_memo *memo)
{
    free(memo);
}

void dg_memo_keep(dg_memo *memo, const dg_address *parsed, int family, int mapped, const char *text, size_t length,
                  unsigned port)
{
    if (memo == NULL || length > DG_MEMO_TEXT || memchr(text, '%', length) != NULL)
        return;
    dg_memo_place *place = memo->sets[dg_memo_index(text, port)];
    memmove(place + 1, place, (DG_MEMO_WAYS - 1) * sizeof *place);
    place->at = text;
    place->key = dg_memo_key(family, mapped, length, port);
    memcpy(place->text, text, length);
    dg_inet_store(&place->address, parsed);
}
