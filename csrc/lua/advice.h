/* SPDX-License-Identifier: MIT */
/* What the messages of system errors say beyond the call and the code: what is wrong and what to do, where that is
 * known. Nothing is guessed: without certainty there is no advice. */
#ifndef DG_LUA_ADVICE_H
#define DG_LUA_ADVICE_H

#include "../net/address.h"

DG_HIDDEN_BEGIN

enum { DG_ADVICE_TEXT = 128 };

typedef struct dg_trouble {
    int error;           /* a negative errno */
    const char *syscall; /* as error objects name it */
    int fd, family, v6only;
    const dg_address *to; /* the address that the call was about; NULL or length 0: none */
    size_t length;        /* bytes of the datagram, 0 where there is none */
} dg_trouble;

/* Returns the advice, or NULL. It may be written to `text`. Asks the kernel, and allocates nothing. */
const char *dg_advice_find(const dg_trouble *trouble, char text[DG_ADVICE_TEXT]);

/* The same for the text of an address that is none for a socket of this family. */
const char *dg_advice_for_text(int error, int family, const char *address);

DG_HIDDEN_END

#endif
