/* SPDX-License-Identifier: MIT */
/* Control messages (cmsg(3)): a writer that checks its bounds, and a reader that checks lengths. What they mean is
 * os_linux.c's affair. */
#ifndef DG_NET_CMSG_H
#define DG_NET_CMSG_H

#include <stddef.h>
#include <sys/socket.h>

#include "attributes.h"

DG_HIDDEN_BEGIN

/* Appends a message to header->msg_control, which has `room` bytes; msg_controllen counts what is in use.
 * Returns 0, or -1 when it does not fit (nothing written). */
int dg_cmsg_write(struct msghdr *header, size_t room, int level, int type, const void *value, size_t length);

/* Copies the value of the first message of this level and type into `value` if it is at least `length` bytes long;
 * returns whether it was there. */
int dg_cmsg_read(struct msghdr *header, int level, int type, void *value, size_t length);

DG_HIDDEN_END

#endif
