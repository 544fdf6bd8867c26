/* The sender that receivers are measured with, and (to a sink) the limit that senders are measured against.
 *
 *     load PORT SIZE MILLISECONDS gso|long|mmsg|fan|plain|paced|end [RATE]
 *
 * gso: trains of up to 64 datagrams a call. long: of up to 128, which newer kernels take. mmsg: 64 datagrams a call.
 * fan: 64 a call, to as many addresses, 127.0.0.1 and on. plain: one. paced: RATE a second, each of
 * which begins with the time at which it is sent: nanoseconds of the monotonic clock, in 16 digits.
 * After it: end markers, until the receiver has closed its port. */
#define _GNU_SOURCE
#include "common.h"

static char payload[SLOT];

static unsigned long send_trains(int fd, unsigned size, double until, unsigned segments)
{
    unsigned count = train_up_to(segments, size);
    char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
    struct iovec buffer = {payload, (size_t)size * count};
    struct msghdr header = {.msg_iov = &buffer, .msg_iovlen = 1};
    unsigned long sent = 0;
    segment(&header, control, size);
    while (now() < until) {
        if (sendmsg(fd, &header, 0) < 0)
            die("sendmsg");
        sent += count;
    }
    return sent;
}

/* `to`: 64 addresses, or NULL for the connected one. */
static unsigned long send_batches(int fd, unsigned size, double until, struct sockaddr_in *to)
{
    struct iovec buffer = {payload, size};
    struct mmsghdr headers[SEGMENTS];
    unsigned long sent = 0;
    memset(headers, 0, sizeof headers);
    for (int i = 0; i < SEGMENTS; i++) {
        headers[i].msg_hdr.msg_iov = &buffer;
        headers[i].msg_hdr.msg_iovlen = 1;
        headers[i].msg_hdr.msg_name = to != NULL ? &to[i] : NULL;
        headers[i].msg_hdr.msg_namelen = to != NULL ? sizeof *to : 0;
    }
    while (now() < until) {
        int n = sendmmsg(fd, headers, SEGMENTS, 0);
        if (n < 0)
            die("sendmmsg");
        sent += (unsigned long)n;
    }
    return sent;
}

/* From a socket that is not connected. */
static unsigned long send_fan(int port, unsigned size, double until)
{
    struct sockaddr_in to[SEGMENTS];
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0)
        die("socket");
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        to[i] = loopback(port);
        to[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK + i);
    }
    return send_batches(fd, size, until, to);
}

static unsigned long send_singly(int fd, unsigned size, double until)
{
    unsigned long sent = 0;
    while (now() < until)
        for (int i = 0; i < 16; i++, sent++)
            if (send(fd, payload, size, 0) < 0)
                die("send");
    return sent;
}

/* Never catches up in a burst: after a delay the schedule begins anew. */
static unsigned long send_paced(int fd, unsigned size, double until, double rate)
{
    unsigned long sent = 0;
    double next = now(), t;
    char stamp[17];
    if (size < sizeof stamp)
        die("the size");
    while ((t = now()) < until) {
        if (t < next)
            continue;
        snprintf(stamp, sizeof stamp, "%016.0f", t * 1e9);
        memcpy(payload, stamp, sizeof stamp - 1);
        if (send(fd, payload, size, 0) < 0)
            die("send");
        sent++;
        next = t - next > 2 / rate ? t + 1 / rate : next + 1 / rate;
    }
    return sent;
}

int main(int argc, char **argv)
{
    if (argc != 5 && argc != 6) {
        fprintf(stderr, "usage: load PORT SIZE MILLISECONDS gso|long|mmsg|fan|plain|paced|end [RATE]\n");
        return 2;
    }
    unsigned size = (unsigned)atoi(argv[2]);
    struct sockaddr_in to = loopback(atoi(argv[1]));
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    memset(payload, 'x', sizeof payload);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("connect");
    double start = now(), used = cpu(), until = start + atoi(argv[3]) / 1e3;
    unsigned long sent = 0;
    switch (argv[4][0]) {
    case 'g':
        sent = send_trains(fd, size, until, SEGMENTS);
        break;
    case 'l':
        sent = send_trains(fd, size, until, MOST_SEGMENTS);
        break;
    case 'm':
        sent = send_batches(fd, size, until, NULL);
        break;
    case 'f':
        sent = send_fan(atoi(argv[1]), size, until);
        break;
    case 'p':
        sent = argv[4][1] == 'l' ? send_singly(fd, size, until)
                                 : send_paced(fd, size, until, argc == 6 ? atof(argv[5]) : 1);
        break;
    }
    printf("count=%lu bytes=%lu seconds=%.6f cpu=%.6f\n", sent, sent * size, now() - start, cpu() - used);
    fflush(stdout);
    end(fd);
    return 0;
}
