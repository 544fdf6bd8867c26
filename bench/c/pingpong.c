/* The limit for ping-pong: two sockets, epoll, one recvmsg and one sendmsg for each message.
 *
 *     pingpong SIZE MILLISECONDS [IDLE]
 *
 * IDLE: so many sockets more, bound and watched, to which nothing comes: what they cost here is the kernel's.
 * The clock starts after as many rounds as with the others at least (bench/peers/turns.lua): no heap grows here. */
#include "common.h"

#include <sys/epoll.h>

enum { WARM_ROUNDS = 30000 };

/* Watches a descriptor; its events come with `number`. */
static void watch(int poll, int fd, int number)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = number};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll_ctl");
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 4)
        return 2;
    static char payload[SLOT];
    size_t size = (size_t)atoi(argv[1]);
    int sockets[2] = {bound(0), bound(0)}, poll = epoll_create1(0), idle = argc == 4 ? atoi(argv[3]) : 0;
    for (int i = 0; i < 2; i++)
        watch(poll, sockets[i], i);
    for (int i = 0; i < idle; i++)
        watch(poll, bound(0), -1);
    struct sockaddr_in to = loopback(port_of(sockets[1]));
    long messages = -2 * WARM_ROUNDS;
    double start = 0, used = 0;
    if (sendto(sockets[0], payload, size, 0, (struct sockaddr *)&to, sizeof to) < 0)
        die("sendto");
    while (messages <= 0 || messages % 512 != 0 || now() - start < atoi(argv[2]) / 1e3) {
        if (messages == 0) {
            start = now();
            used = cpu();
        }
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
    printf("count=%ld bytes=%ld seconds=%.6f cpu=%.6f\n", messages / 2, messages / 2 * (long)size, now() - start,
           cpu() - used);
    return 0;
}
