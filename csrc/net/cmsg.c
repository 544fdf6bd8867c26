/* SPDX-License-Identifier: MIT */
#include "cmsg.h"

#include <string.h>

int dg_cmsg_write(struct msghdr *header, size_t room, int level, int type, const void *value, size_t length)
{
    size_t used = header->msg_controllen;
    if (CMSG_SPACE(length) > room - used)
        return -1;
    struct cmsghdr *message = (struct cmsghdr *)(void *)((char *)header->msg_control + used);
    memset(message, 0, CMSG_SPACE(length)); /* valgrind and the sanitizers see the padding, too */
    message->cmsg_level = level;
    message->cmsg_type = type;
    message->cmsg_len = CMSG_LEN(length);
    memcpy(CMSG_DATA(message), value, length);
    header->msg_controllen = used + CMSG_SPACE(length);
    return 0;
}

int dg_cmsg_read(struct msghdr *header, int level, int type, void *value, size_t length)
{
    for (struct cmsghdr *message = CMSG_FIRSTHDR(header); message != NULL; message = CMSG_NXTHDR(header, message)) {
        if (message->cmsg_level != level || message->cmsg_type != type)
            continue;
        if (message->cmsg_len < CMSG_LEN(length))
            return 0;
        memcpy(value, CMSG_DATA(message), length);
        return 1;
    }
    return 0;
}
