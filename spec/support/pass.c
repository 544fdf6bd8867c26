/* SPDX-License-Identifier: MIT */
/* Passes open descriptors to a Unix datagram socket, and tells whether they were closed.
 *
 *     pass NAME COUNT TEXT
 *
 * NAME is a path, or an abstract name behind "@". Sends TEXT with COUNT copies of a pipe's writing end; then the pipe
 * ends when nobody else has that any more. Prints "passed", and "closed" at its end. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MOST = 253 }; /* the kernel passes no more at once */

int main(int argc, char **argv)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(MOST * sizeof(int))];
    } control;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int ends[2], count = argc == 4 ? atoi(argv[2]) : 0, sender = socket(AF_UNIX, SOCK_DGRAM, 0);
    char byte;
    if (count < 1 || count > MOST || strlen(argv[1]) >= sizeof to.sun_path || sender < 0 || pipe(ends) != 0)
        return 2;
    memset(&control, 0, sizeof control);
    memcpy(to.sun_path, argv[1], strlen(argv[1]));
    if (to.sun_path[0] == '@')
        to.sun_path[0] = '\0';
    struct iovec text = {argv[3], strlen(argv[3])};
    struct msghdr header = {.msg_name = &to, .msg_iov = &text, .msg_iovlen = 1, .msg_control = &control};
    header.msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(argv[1]));
    header.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    for (int i = 0; i < count; i++)
        memcpy(CMSG_DATA(rights) + (size_t)i * sizeof(int), &ends[1], sizeof(int));
    if (sendmsg(sender, &header, 0) < 0) {
        perror("sendmsg");
        return 1;
    }
    close(ends[1]);
    puts("passed");
    fflush(stdout);
    if (read(ends[0], &byte, 1) != 0)
        return 1;
    puts("closed");
    return 0;
}
