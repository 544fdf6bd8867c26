/* SPDX-License-Identifier: MIT */
/* Advice for the messages of system errors: what is wrong and what to do, where that is certain. Nothing is guessed.
 * Error objects are made by error.h. */
#ifndef DG_LUA_ADVICE_H
#define DG_LUA_ADVICE_H

#include "../net/address.h"

DG_HIDDEN_BEGIN

enum { DG_ADVICE_TEXT = 128 };

typedef struct dg_trouble {
    int error;           /* a negative errno */
    const char *syscall; /* as error objects name it */
    int fd, family, v6only;
    const dg_address *to; /* the address that the call was given; NULL or length 0: none */
    size_t length;        /* bytes of the datagram; 0: none */
} dg_trouble;

/* Returns the advice, which may be in `text`, or NULL. May ask the kernel; allocates nothing. */
const char *dg_advice_find(const dg_trouble *trouble, char text[DG_ADVICE_TEXT]);

/* Does the same for a text that is no address for a socket of this family. */
const char *dg_advice_for_text(int error, int family, const char *address);

DG_HIDDEN_END

#endif
