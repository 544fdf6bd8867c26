/* SPDX-License-Identifier: MIT */
#include "error_queue.h"

#include <errno.h>

#if defined(__linux__)

#include <string.h>
#include <sys/uio.h>
#include <time.h>

#include <linux/errqueue.h>

#include "cmsg.h"

enum { MOST_OTHERS = 64 }; /* entries that one call passes over */

/* What the control message brings. */
typedef struct report {
    struct sock_extended_err error;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } offender;
} report;

int dg_error_queue_turn_on(int fd, int family)
{
    int on = 1;
    if (family != AF_INET && family != AF_INET6)
        return -ENOTSUP;
    if (setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on) != 0)
        return -errno;
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on) != 0)
        return -errno;
    return 0;
}

/* The offender's length depends on its family. An IPv6 socket hears of IPv4 destinations at the IPv6 level, too. */
static int read_report(struct msghdr *header, report *out)
{
    static const size_t lengths[] = {sizeof(struct sockaddr_in6), sizeof(struct sockaddr_in)};
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        size_t length = offsetof(report, offender) + lengths[i];
        if (dg_cmsg_read(header, IPPROTO_IPV6, IPV6_RECVERR, out, length) ||
            dg_cmsg_read(header, IPPROTO_IP, IP_RECVERR, out, length))
            return 1;
    }
    return 0;
}

static void store(dg_icmp_error *out, const report *from, const struct msghdr *header)
{
    const int family = from->offender.any.sa_family;
    out->error = -(int)from->error.ee_errno;
    out->type = from->error.ee_type;
    out->code = from->error.ee_code;
    out->mtu = from->error.ee_errno == EMSGSIZE ? from->error.ee_info : 0;
    out->to.length = header->msg_namelen;
    out->offender.length = family == AF_INET    ? sizeof from->offender.in
                           : family == AF_INET6 ? sizeof from->offender.in6
                                                : 0;
    memcpy(&out->offender.u, &from->offender, out->offender.length);
}

int dg_error_queue_take(int fd, dg_icmp_error *out)
{
    union {
        struct cmsghdr align;
        char bytes[512];
    } control;
    for (int left = MOST_OTHERS; left != 0; left--) {
        char byte; /* the payload is the datagram that was sent */
        struct iovec buffer = {&byte, 1};
        struct msghdr header;
        report found;
        memset(&header, 0, sizeof header);
        header.msg_name = &out->to.u;
        header.msg_namelen = sizeof out->to.u;
        header.msg_iov = &buffer;
        header.msg_iovlen = 1;
        header.msg_control = &control;
        header.msg_controllen = sizeof control;
        if (recvmsg(fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK)
                return 0;
            if (errno != EINTR)
                return -errno;
            continue;
        }
        if (!read_report(&header, &found) ||
            (found.error.ee_origin != SO_EE_ORIGIN_ICMP && found.error.ee_origin != SO_EE_ORIGIN_ICMP6))
            continue;
        store(out, &found, &header);
        return 1;
    }
    return 0;
}

#else

int dg_error_queue_turn_on(int fd, int family)
{
    (void)fd, (void)family;
    return -ENOTSUP;
}

int dg_error_queue_take(int fd, dg_icmp_error *out)
{
    (void)fd, (void)out;
    return 0;
}

#endif
