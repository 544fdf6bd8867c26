/* The limit for ping-pong: two sockets, epoll, one recvmsg and one sendmsg for each message.
 *
 *     pingpong SIZE MILLISECONDS */
#include "common.h"

#include <sys/epoll.h>

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    static char payload[SLOT];
    size_t size = (size_t)atoi(argv[1]);
    int sockets[2] = {bound(0), bound(0)}, poll = epoll_create1(0);
    for (int i = 0; i < 2; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = i};
        epoll_ctl(poll, EPOLL_CTL_ADD, sockets[i], &event);
    }
    struct sockaddr_in to = loopback(port_of(sockets[1]));
    unsigned long messages = 0;
    double start = now(), used = cpu(), until = start + atoi(argv[2]) / 1e3;
    if (sendto(sockets[0], payload, size, 0, (struct sockaddr *)&to, sizeof to) < 0)
        die("sendto");
    while (messages % 512 != 0 || now() < until) {
        struct epoll_event event;
        struct iovec buffer = {payload, sizeof payload};
        struct msghdr header = {.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &buffer, .msg_iovlen = 1};
        if (epoll_wait(poll, &event, 1, -1) != 1)
            continue;
        ssize_t length = recvmsg(sockets[event.data.fd], &header, MSG_DONTWAIT);
        if (length < 0)
            die("recvmsg");
        buffer.iov_len = (size_t)length;
        if (sendmsg(sockets[event.data.fd], &header, 0) < 0)
            die("sendmsg");
        messages++;
    }
    printf("count=%lu bytes=%lu seconds=%.6f cpu=%.6f\n", messages / 2, messages / 2 * size, now() - start,
           cpu() - used);
    return 0;
}
