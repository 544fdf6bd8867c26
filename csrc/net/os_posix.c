/* SPDX-License-Identifier: MIT */
/* Any POSIX system: recvmsg(2) and sendmsg(2) alone, one datagram a call; no offloads. */
#if !defined(__linux__) || defined(DGRAM_PORTABLE)
#include "os.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#if defined(MSG_NOSIGNAL)
enum { SEND_FLAGS = MSG_DONTWAIT | MSG_NOSIGNAL };
#else
enum { SEND_FLAGS = MSG_DONTWAIT };
#endif

struct dg_arena {
    dg_received slots[DG_SLOTS];
    char payload[DG_SLOTS][DG_SLOT_BYTES];
};

dg_arena *dg_arena_new(void)
{
    return malloc(sizeof(dg_arena));
}

void dg_arena_free(dg_arena *arena)
{
    free(arena);
}

dg_received *dg_arena_slot(dg_arena *arena, unsigned i)
{
    return &arena->slots[i];
}

static int receive_one(int fd, dg_received *slot, char *payload, size_t room)
{
    struct iovec buffer = {payload, room};
    struct msghdr header;
    ssize_t length;
    memset(&header, 0, sizeof header);
    header.msg_name = &slot->from.u;
    header.msg_iov = &buffer;
    header.msg_iovlen = 1;
    do {
        header.msg_namelen = sizeof slot->from.u;
        length = recvmsg(fd, &header, MSG_DONTWAIT);
    } while (length < 0 && errno == EINTR);
    if (length < 0)
        return -errno;
    slot->data = payload;
    slot->length = slot->segment = (uint32_t)length;
    slot->truncated = (header.msg_flags & MSG_TRUNC) != 0;
    slot->control_cut = (header.msg_flags & MSG_CTRUNC) != 0;
    slot->from.length = header.msg_namelen;
    return 1;
}

/* An error behind the first datagram ends the batch. Unlike recvmmsg(2), recvmsg(2) has then taken it from the socket:
 * a refusal that arrives in the middle of a batch is not reported. */
int dg_os_receive(int fd, dg_arena *arena, unsigned want, const dg_offloads *offloads, const dg_asked *asked)
{
    (void)offloads; /* nothing is coalesced */
    (void)asked;    /* nothing can be */
    for (unsigned i = 0; i < want; i++) {
        int status = receive_one(fd, &arena->slots[i], arena->payload[i], DG_SLOT_BYTES);
        if (status < 0)
            return i != 0 ? (int)i : status;
    }
    return (int)want;
}

int dg_os_receive_large(int fd, dg_arena *arena, const dg_asked *asked)
{
    (void)asked;
    return receive_one(fd, &arena->slots[0], arena->payload[0], sizeof arena->payload);
}

int dg_os_ask(int fd, int family, unsigned set, dg_asked *out)
{
    (void)fd, (void)family, (void)out;
    return set == 0 ? 0 : -ENOTSUP;
}

static int send_one(int fd, const dg_outgoing *out)
{
    struct iovec buffer = {(void *)(uintptr_t)out->data, out->length};
    struct msghdr header;
    ssize_t sent;
    if (out->route->options.set != 0)
        return -ENOTSUP;
    memset(&header, 0, sizeof header);
    if (out->route->to.length != 0) {
        header.msg_name = (void *)(uintptr_t)&out->route->to.u;
        header.msg_namelen = out->route->to.length;
    }
    header.msg_iov = &buffer;
    header.msg_iovlen = 1;
    do
        sent = sendmsg(fd, &header, SEND_FLAGS);
    while (sent < 0 && errno == EINTR);
    return sent >= 0 ? 1 : -errno;
}

int dg_os_send(int fd, const dg_outgoing *out, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        int status = send_one(fd, &out[i]);
        if (status < 0)
            return i != 0 ? (int)i : status;
    }
    return (int)count;
}

int dg_os_hear_errors(int fd, int family)
{
    (void)fd, (void)family;
    return -ENOTSUP;
}

void dg_os_offloads(int fd, dg_offloads *out)
{
    (void)fd;
    memset(out, 0, sizeof *out);
}

void dg_os_coalesce(int fd, dg_offloads *out)
{
    (void)fd;
    (void)out;
}

#endif
