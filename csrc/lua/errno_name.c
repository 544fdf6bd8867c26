/* SPDX-License-Identifier: MIT */
#include "errno_name.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define NAMED(name)                                                                                                    \
    {                                                                                                                  \
        name, #name                                                                                                    \
    }

/* clang-format off */
static const struct {
    int value;
    const char *name;
} names[] = {
    NAMED(E2BIG),        NAMED(EACCES),       NAMED(EADDRINUSE),    NAMED(EADDRNOTAVAIL), NAMED(EAFNOSUPPORT),
    NAMED(EAGAIN),       NAMED(EALREADY),     NAMED(EBADF),         NAMED(EBUSY),         NAMED(ECANCELED),
    NAMED(ECONNABORTED), NAMED(ECONNREFUSED), NAMED(ECONNRESET),    NAMED(EDESTADDRREQ),  NAMED(EEXIST),
    NAMED(EFAULT),       NAMED(EFBIG),        NAMED(EHOSTUNREACH),  NAMED(EINPROGRESS),   NAMED(EINTR),
    NAMED(EINVAL),       NAMED(EIO),          NAMED(EISCONN),       NAMED(EISDIR),        NAMED(ELOOP),
    NAMED(EMFILE),       NAMED(EMSGSIZE),     NAMED(ENAMETOOLONG),  NAMED(ENETDOWN),      NAMED(ENETUNREACH),
    NAMED(ENFILE),       NAMED(ENOBUFS),      NAMED(ENODEV),        NAMED(ENOENT),        NAMED(ENOMEM),
    NAMED(ENOPROTOOPT),  NAMED(ENOSPC),       NAMED(ENOSYS),        NAMED(ENOTCONN),      NAMED(ENOTDIR),
    NAMED(ENOTSOCK),     NAMED(ENOTSUP),      NAMED(ENXIO),         NAMED(EPERM),         NAMED(EPIPE),
    NAMED(EPROTO),       NAMED(EPROTONOSUPPORT), NAMED(EPROTOTYPE), NAMED(ERANGE),        NAMED(EROFS),
    NAMED(ESHUTDOWN),    NAMED(ESRCH),        NAMED(ETIMEDOUT),     NAMED(ETXTBSY),       NAMED(EXDEV),
    NAMED(EHOSTDOWN),    NAMED(EOPNOTSUPP),
};
/* clang-format on */

const char *dg_errno_name(int error)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].value == -error)
            return names[i].name;
    return "UNKNOWN";
}

int dg_errno_value(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i].name, name) == 0)
            return -names[i].value;
    return 0;
}
