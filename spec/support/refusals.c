/* SPDX-License-Identifier: MIT */
/* To be preloaded: the kernel's answers to sendto(2), sendmsg(2) and sendmmsg(2) as they are on other routes and other kernels.
 * What it does stands in the environment (numbers; 0 or absent: not):
 *   REFUSE_ERRNO   segmented messages fail with it
 *   REFUSE_FIRST   only so many of them
 *   REFUSE_ABOVE   only those whose segments are longer than this
 *   MOST_SEGMENTS  segmented messages of more datagrams are invalid, as with older kernels
 *   FAIL_ERRNO     the messages of one datagram that begin with a byte 'X' fail with it
 *   LATE_ERRNO     the first of these fails with this instead, as if an earlier datagram had
 *   SHORT          sendmmsg takes at most so many messages
 *   BLOCK_EVERY    every so many calls one finds no room
 * At the end it says on stderr what it saw. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { UDP_LEVEL = 17, SEGMENT = 103 };

static unsigned calls, batches, trains, refused, failed, blocked, cut, late, invalid, longest;

static unsigned wanted(const char *name)
{
    const char *text = getenv(name);
    return text != NULL ? (unsigned)atoi(text) : 0;
}

static unsigned segment_size(const struct msghdr *message)
{
    uint16_t size = 0;
    struct msghdr header = *message;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c != NULL; c = CMSG_NXTHDR(&header, c))
        if (c->cmsg_level == UDP_LEVEL && c->cmsg_type == SEGMENT)
            memcpy(&size, CMSG_DATA(c), sizeof size);
    return size;
}

static unsigned datagrams(const struct msghdr *message, unsigned size)
{
    return (unsigned)((message->msg_iov[0].iov_len + size - 1) / size);
}

/* The errno of a message that does not go, or 0. */
static int verdict(const struct msghdr *message)
{
    unsigned size = segment_size(message), first = wanted("REFUSE_FIRST");
    trains += size != 0;
    if (size == 0) {
        int bad = message->msg_iov[0].iov_len != 0 && *(const char *)message->msg_iov[0].iov_base == 'X';
        if (bad && wanted("LATE_ERRNO") != 0 && late++ == 0)
            return (int)wanted("LATE_ERRNO");
        return bad ? (int)wanted("FAIL_ERRNO") : 0;
    }
    if (wanted("MOST_SEGMENTS") != 0 && datagrams(message, size) > wanted("MOST_SEGMENTS")) {
        invalid++;
        return EINVAL;
    }
    if (datagrams(message, size) > longest)
        longest = datagrams(message, size);
    if (size <= wanted("REFUSE_ABOVE") || (first != 0 && refused >= first))
        return 0;
    refused += wanted("REFUSE_ERRNO") != 0;
    return (int)wanted("REFUSE_ERRNO");
}

static int is_blocked(void)
{
    unsigned every = wanted("BLOCK_EVERY");
    calls++;
    if (every == 0 || calls % every != 0)
        return 0;
    blocked++;
    return 1;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    static ssize_t (*next)(int, const struct msghdr *, int);
    if (next == NULL)
        *(void **)&next = dlsym(RTLD_NEXT, "sendmsg");
    int error = is_blocked() ? EAGAIN : verdict(message);
    if (error == 0)
        return next(fd, message, flags);
    failed += error != EAGAIN && segment_size(message) == 0;
    errno = error;
    return -1;
}

/* A lone datagram without headers. */
ssize_t sendto(int fd, const void *data, size_t length, int flags, const struct sockaddr *to, socklen_t to_length)
{
    static ssize_t (*next)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
    if (next == NULL)
        *(void **)&next = dlsym(RTLD_NEXT, "sendto");
    struct iovec buffer = {(void *)(uintptr_t)data, length};
    struct msghdr message = {.msg_iov = &buffer, .msg_iovlen = 1};
    int error = is_blocked() ? EAGAIN : verdict(&message);
    if (error == 0)
        return next(fd, data, length, flags, to, to_length);
    failed += error != EAGAIN;
    errno = error;
    return -1;
}

/* As in the kernel, an error after the first message is kept for the call that begins with its message. */
int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    static int (*next)(int, struct mmsghdr *, unsigned, int);
    if (next == NULL)
        *(void **)&next = dlsym(RTLD_NEXT, "sendmmsg");
    unsigned most = wanted("SHORT"), good = 0;
    int error = is_blocked() ? EAGAIN : 0;
    batches++;
    if (most != 0 && count > most) {
        count = most;
        cut++;
    }
    while (error == 0 && good < count)
        if ((error = verdict(&messages[good].msg_hdr)) == 0)
            good++;
    if (good != 0)
        return next(fd, messages, good, flags);
    failed += error != EAGAIN && segment_size(&messages[0].msg_hdr) == 0;
    errno = error;
    return -1;
}

__attribute__((destructor)) static void tell(void)
{
    fprintf(stderr, "calls=%u batches=%u trains=%u refused=%u failed=%u blocked=%u cut=%u invalid=%u longest=%u\n", calls,
            batches, trains, refused, failed, blocked, cut, invalid, longest);
}
