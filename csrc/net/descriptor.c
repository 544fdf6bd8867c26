/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* SOCK_NONBLOCK, SOCK_CLOEXEC */
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#if defined(SOCK_NONBLOCK) && defined(SOCK_CLOEXEC)

int dg_descriptor_open(int family)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd >= 0 ? fd : -errno;
}

#else

int dg_descriptor_open(int family)
{
    int fd = socket(family, SOCK_DGRAM, 0);
    if (fd < 0)
        return -errno;
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

#endif

int dg_descriptor_bind(int fd, const dg_address *address)
{
    return bind(fd, &address->u.any, address->length) == 0 ? 0 : -errno;
}

int dg_descriptor_name(int fd, dg_address *out)
{
    out->length = sizeof out->u;
    return getsockname(fd, &out->u.any, &out->length) == 0 ? 0 : -errno;
}

int dg_descriptor_take_error(int fd)
{
    int error = 0;
    socklen_t length = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? -error : -errno;
}

int dg_descriptor_retire(int fd)
{
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC), status;
    if (nothing < 0)
        return -errno;
    do
        status = dup2(nothing, fd) >= 0 ? 0 : -errno;
    while (status == -EINTR || status == -EBUSY);
    if (status == 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    close(nothing);
    return status;
}

void dg_descriptor_close(int fd)
{
    close(fd);
}
