/* The limit for echo servers.
 *
 *     echo plain|gso
 *
 * plain: a call each way for each datagram. gso: trains both ways. Ends with the end marker. */
#define _GNU_SOURCE
#include "common.h"

static char payload[SLOT];

int main(int argc, char **argv)
{
    int gso = argc == 2 && argv[1][0] == 'g', fd = bound(0), size;
    unsigned long echoed = 0;
    double start = 0, used = 0;
    if (gso)
        set_int(fd, SOL_UDP, UDP_GRO, 1, "UDP_GRO");
    say_ready(fd);
    for (;;) {
        char input[64], output[CMSG_SPACE(sizeof(uint16_t))] = {0};
        struct sockaddr_in from;
        struct iovec buffer = {payload, sizeof payload};
        struct msghdr header = {.msg_name = &from,
                                .msg_namelen = sizeof from,
                                .msg_iov = &buffer,
                                .msg_iovlen = 1,
                                .msg_control = input,
                                .msg_controllen = sizeof input};
        ssize_t length = recvmsg(fd, &header, 0);
        if (length < 0)
            die("recvmsg");
        if (echoed == 0)
            start = now(), used = cpu();
        if (length == END)
            break;
        unsigned count = segments_in(&header, (size_t)length, &size);
        buffer.iov_len = (size_t)length;
        header.msg_control = NULL;
        header.msg_controllen = 0;
        if (count > 1)
            segment(&header, output, (unsigned)size);
        if (sendmsg(fd, &header, 0) < 0)
            die("sendmsg");
        echoed += count;
    }
    printf("count=%lu seconds=%.6f cpu=%.6f\n", echoed, now() - start, cpu() - used);
    return 0;
}
