/* A receiver: the limit for the others, and the sink that senders are measured with.
 *
 *     receive SIZE plain|epoll|mmsg|gro|sink
 *
 * plain: recvmsg for each datagram. epoll: the same behind epoll_wait, as a program with a loop does. mmsg: recvmmsg.
 * gro: recvmmsg of trains. sink: gro on every local address, and never asleep, so that no sender pays for waking it. Tells how
 * late datagrams came that begin with their time (load.c), of one in 13. Ends with the end marker. */
#define _GNU_SOURCE
#include "common.h"

#include <sys/epoll.h>

enum { SLOTS = 16 };

static char payload[SLOTS][SLOT];
static char controls[SLOTS][64];
static struct sockaddr_in senders[SLOTS];
static struct mmsghdr headers[SLOTS];
static struct iovec buffers[SLOTS];

static void ready_slots(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct msghdr *header = &headers[i].msg_hdr;
        buffers[i].iov_base = payload[i];
        buffers[i].iov_len = SLOT;
        header->msg_iov = &buffers[i];
        header->msg_iovlen = 1;
        header->msg_name = &senders[i];
        header->msg_namelen = sizeof senders[i];
        header->msg_control = controls[i];
        header->msg_controllen = sizeof controls[i];
    }
}

static void look_at(const char *datagram)
{
    static unsigned number;
    if (++number % 13 != 0 || datagram[0] != '0')
        return;
    char stamp[17] = {0};
    memcpy(stamp, datagram, sizeof stamp - 1);
    note_latency(now() - atof(stamp) / 1e9);
}

static int receive(int fd, int poll, unsigned slots, int flags)
{
    struct epoll_event event;
    if (poll >= 0 && epoll_wait(poll, &event, 1, -1) < 0)
        return -1;
    ready_slots(slots);
    if (slots > 1)
        return recvmmsg(fd, headers, slots, flags, NULL);
    ssize_t length = recvmsg(fd, &headers[0].msg_hdr, flags);
    headers[0].msg_len = (unsigned)length;
    return length < 0 ? -1 : 1;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: receive SIZE plain|epoll|mmsg|gro|sink\n");
        return 2;
    }
    int expected = atoi(argv[1]), sink = strcmp(argv[2], "sink") == 0, gro = sink || strcmp(argv[2], "gro") == 0;
    int watched = strcmp(argv[2], "epoll") == 0, poll = watched ? epoll_create1(0) : -1;
    unsigned slots = watched || strcmp(argv[2], "plain") == 0 ? 1 : SLOTS;
    unsigned long received = 0, bytes = 0, wrong = 0;
    double start = 0, used = 0, last = 0;
    int fd = bound(sink), ended = 0;
    if (gro)
        set_int(fd, SOL_UDP, UDP_GRO, 1, "UDP_GRO");
    struct epoll_event wanted = {.events = EPOLLIN};
    if (watched && epoll_ctl(poll, EPOLL_CTL_ADD, fd, &wanted) != 0)
        die("epoll_ctl");
    say_ready(fd);
    while (!ended) {
        int got = receive(fd, poll, slots, sink ? MSG_DONTWAIT : MSG_WAITFORONE);
        if (got < 0 && errno != EAGAIN)
            die("receive");
        if (received == 0 && got > 0)
            start = now(), used = cpu();
        for (int i = 0; i < got; i++) {
            int size;
            unsigned count = segments_in(&headers[i].msg_hdr, headers[i].msg_len, &size);
            if (headers[i].msg_len == END) {
                ended = 1;
                break;
            }
            received += count;
            bytes += headers[i].msg_len;
            wrong += size != expected;
            look_at(payload[i]);
        }
        if (got > 0 && sink && !ended)
            last = now();
    }
    if (!sink)
        last = now();
    printf("count=%lu bytes=%lu wrong=%lu seconds=%.6f cpu=%.6f", received, bytes, wrong, last - start, cpu() - used);
    print_latencies();
    return 0;
}
