/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* SOCK_NONBLOCK, SOCK_CLOEXEC */
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
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

int dg_descriptor_connect(int fd, const dg_address *address)
{
    int status;
    do
        status = connect(fd, &address->u.any, address->length) == 0 ? 0 : -errno;
    while (status == -EINTR);
    return status;
}

/* The BSDs answer EAFNOSUPPORT and have disconnected all the same. */
int dg_descriptor_disconnect(int fd)
{
    struct sockaddr nobody;
    memset(&nobody, 0, sizeof nobody);
    nobody.sa_family = AF_UNSPEC;
    return connect(fd, &nobody, sizeof nobody) == 0 || errno == EAFNOSUPPORT ? 0 : -errno;
}

#if defined(SO_BINDTODEVICE)

unsigned dg_descriptor_device(int fd)
{
    char name[IF_NAMESIZE] = "";
    socklen_t length = sizeof name;
    return getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &length) == 0 && name[0] != '\0' ? if_nametoindex(name)
                                                                                              : 0;
}

int dg_descriptor_set_device(int fd, unsigned index)
{
    char name[IF_NAMESIZE];
    if (if_indextoname(index, name) == NULL)
        return -ENODEV;
    return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name) + 1) == 0 ? 0 : -errno;
}

#else

unsigned dg_descriptor_device(int fd)
{
    (void)fd;
    return 0;
}

int dg_descriptor_set_device(int fd, unsigned index)
{
    (void)fd;
    (void)index;
    return -ENOTSUP;
}

#endif

int dg_descriptor_peer(int fd, dg_address *out)
{
    out->length = sizeof out->u;
    return getpeername(fd, &out->u.any, &out->length) == 0 ? 0 : -errno;
}

static int get_int(int fd, int level, int name)
{
    int value = 0;
    socklen_t length = sizeof value;
    return getsockopt(fd, level, name, &value, &length) == 0 ? value : -1;
}

int dg_descriptor_inspect(int fd, dg_descriptor_facts *out)
{
    dg_address name, peer;
    if (fd < 0 || fcntl(fd, F_GETFD) < 0)
        return -EBADF;
    if (get_int(fd, SOL_SOCKET, SO_TYPE) != SOCK_DGRAM || dg_descriptor_name(fd, &name) != 0)
        return -ENOTSOCK;
    out->family = name.u.any.sa_family;
    out->connected = dg_descriptor_peer(fd, &peer) == 0;
    out->v6only = out->family == AF_INET6 && get_int(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 1;
    if (out->family == AF_UNIX)
        out->bound = out->connected || name.length > offsetof(struct sockaddr_un, sun_path);
    else
        out->bound = dg_address_port(&name) != 0;
    return out->family == AF_UNIX || out->family == AF_INET || out->family == AF_INET6 ? 0 : -ENOTSOCK;
}

int dg_descriptor_adopt(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return -errno;
    return 0;
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
