/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* SOCK_NONBLOCK, SOCK_CLOEXEC, struct ucred */
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum { MOST_ERRORS = 64, MOST_UNREAD = 65536 };

static void report_errors_as_events(int fd)
{
#if defined(SO_SELECT_ERR_QUEUE)
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_SELECT_ERR_QUEUE, &on, sizeof on); /* if it fails, luv prints on some errors */
#else
    (void)fd;
#endif
}

#if defined(SOCK_NONBLOCK) && defined(SOCK_CLOEXEC)

static int open_socket(int family)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd >= 0 ? fd : -errno;
}

static int open_pair(int fds[2])
{
    return socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0 ? 0 : -errno;
}

#else

static int open_socket(int family)
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

static int open_pair(int fds[2])
{
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) != 0)
        return -errno;
    if (fcntl(fds[0], F_SETFD, FD_CLOEXEC) == 0 && fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0 &&
        fcntl(fds[1], F_SETFD, FD_CLOEXEC) == 0 && fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0)
        return 0;
    int error = errno;
    close(fds[0]);
    close(fds[1]);
    return -error;
}

#endif

int dg_descriptor_open(int family)
{
    int fd = open_socket(family);
    if (fd >= 0)
        report_errors_as_events(fd);
    return fd;
}

int dg_descriptor_pair(int fds[2])
{
    int status = open_pair(fds);
    if (status != 0)
        return status;
    report_errors_as_events(fds[0]);
    report_errors_as_events(fds[1]);
    return 0;
}

/* Makes `fd` a duplicate of `of`, as dup2(2) does. */
static int put_at(int of, int fd)
{
    int status;
    do
        status = dup2(of, fd) >= 0 ? 0 : -errno;
    while (status == -EINTR || status == -EBUSY);
    if (status == 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    return status;
}

int dg_descriptor_open_as(int family, int number)
{
    int fd = dg_descriptor_open(family);
    if (fd == -EMFILE || fd == -ENFILE) {
        close(number);
        return dg_descriptor_open(family);
    }
    if (fd < 0)
        return fd;
    int status = put_at(fd, number);
    close(fd);
    return status == 0 ? number : status;
}

int dg_descriptor_is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

int dg_descriptor_is_ready(int fd)
{
    struct pollfd one = {fd, POLLIN, 0};
    return poll(&one, 1, 0) > 0;
}

long dg_descriptor_process(void)
{
    return (long)getpid();
}

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

/* The BSDs return EAFNOSUPPORT, though they have disconnected. */
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

/* The kernel cuts a name that is too long, and an interface may have other names (ip link property). */
int dg_descriptor_set_device_name(int fd, const char *name)
{
    unsigned index = if_nametoindex(name);
    return index != 0 ? dg_descriptor_set_device(fd, index) : -ENODEV;
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

int dg_descriptor_set_device_name(int fd, const char *name)
{
    (void)fd;
    (void)name;
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
    report_errors_as_events(fd);
    return 0;
}

int dg_descriptor_take_error(int fd)
{
    int error = 0;
    socklen_t length = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? -error : -errno;
}

void dg_descriptor_drop_error_queue(int fd)
{
#if defined(MSG_ERRQUEUE)
    for (int left = MOST_ERRORS; left != 0; left--) {
        char byte;
        struct iovec buffer = {&byte, 1};
        struct msghdr header;
        memset(&header, 0, sizeof header);
        header.msg_iov = &buffer;
        header.msg_iovlen = 1;
        if (recvmsg(fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0 && errno != EINTR)
            return;
    }
#else
    (void)fd;
#endif
}

/* Drops one datagram; returns whether there was one. On a socket that is shut down, recvmsg(2) returns 0 for an empty
 * queue and for an empty datagram. Only a datagram comes with the sender's credentials (unix(7), SO_PASSCRED). */
static int drop_one(int fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(64)];
    } control;
    char byte;
    struct iovec buffer = {&byte, 1};
    struct msghdr header;
    memset(&header, 0, sizeof header);
    header.msg_iov = &buffer;
    header.msg_iovlen = 1;
    header.msg_control = &control;
#if defined(SO_PASSCRED)
    header.msg_controllen = CMSG_SPACE(sizeof(struct ucred)); /* no room for descriptors: none are received */
#endif
    ssize_t length = recvmsg(fd, &header, MSG_DONTWAIT);
    return length > 0 || (length == 0 && header.msg_controllen != 0) || (length < 0 && errno == EINTR);
}

void dg_descriptor_refuse_senders(int fd)
{
#if defined(SO_PASSCRED)
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on); /* if it fails, an empty datagram ends the loop */
#endif
    shutdown(fd, SHUT_RD);
    for (int left = MOST_UNREAD; left != 0 && drop_one(fd); left--)
        ;
}

int dg_descriptor_retire(int fd)
{
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing < 0)
        return -errno;
    int status = put_at(nothing, fd);
    close(nothing);
    return status;
}

int dg_descriptor_duplicate(int fd)
{
    int other = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return other >= 0 ? other : -errno;
}

/* Linux reports twice the size of a buffer that was set (socket(7)). */
static void copy_option(int from, int to, int name, int divisor)
{
    int value = get_int(from, SOL_SOCKET, name);
    if (value < 0)
        return;
    value /= divisor;
    setsockopt(to, SOL_SOCKET, name, &value, sizeof value);
}

void dg_descriptor_replace(int fd, int fresh)
{
#if defined(__linux__)
    enum { TIMES = 2 };
    copy_option(fd, fresh, SO_PASSCRED, 1);
#else
    enum { TIMES = 1 };
#endif
    copy_option(fd, fresh, SO_RCVBUF, TIMES);
    copy_option(fd, fresh, SO_SNDBUF, TIMES);
    copy_option(fd, fresh, SO_BROADCAST, 1);
    put_at(fresh, fd);
}

void dg_descriptor_close(int fd)
{
    if (fd > STDERR_FILENO || dg_descriptor_retire(fd) != 0)
        close(fd);
}
