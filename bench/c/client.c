/* An echo server's load: 64 datagrams in flight, each answered by the server and then sent again.
 *
 *     client PORT SIZE MILLISECONDS mmsg|gso
 *
 * mmsg: recvmmsg and sendmmsg. gso: trains both ways, so that the client is never what limits a fast server.
 * A datagram that is lost is replaced after 20 ms of silence. The end marker goes out last. */
#define _GNU_SOURCE
#include "common.h"

enum { IN_FLIGHT = 64 };

static char payload[SLOT * 2], input[IN_FLIGHT][SLOT], controls[IN_FLIGHT][64];
static struct mmsghdr headers[IN_FLIGHT];
static struct iovec buffers[IN_FLIGHT];

static void send_singly(int fd, unsigned size, unsigned count)
{
    struct iovec buffer = {payload, size};
    memset(headers, 0, sizeof headers);
    for (unsigned i = 0; i < count; i++) {
        headers[i].msg_hdr.msg_iov = &buffer;
        headers[i].msg_hdr.msg_iovlen = 1;
    }
    for (unsigned at = 0; at < count;) {
        int sent = sendmmsg(fd, headers + at, count - at, 0);
        if (sent < 0)
            die("sendmmsg");
        at += (unsigned)sent;
    }
}

static void send_train(int fd, unsigned size, unsigned count)
{
    char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
    unsigned most = train_length(size);
    while (count != 0) {
        unsigned now_many = count < most ? count : most;
        struct iovec buffer = {payload, (size_t)size * now_many};
        struct msghdr header = {.msg_iov = &buffer, .msg_iovlen = 1};
        if (now_many > 1)
            segment(&header, control, size);
        if (sendmsg(fd, &header, 0) < 0)
            die("sendmsg");
        count -= now_many;
    }
}

/* Waits for answers; returns how many came, 0 after silence. */
static unsigned collect(int fd, unsigned slots)
{
    unsigned count = 0;
    for (unsigned i = 0; i < slots; i++) {
        struct msghdr *header = &headers[i].msg_hdr;
        memset(header, 0, sizeof *header);
        buffers[i].iov_base = input[i];
        buffers[i].iov_len = SLOT;
        header->msg_iov = &buffers[i];
        header->msg_iovlen = 1;
        header->msg_control = controls[i];
        header->msg_controllen = sizeof controls[i];
    }
    int got = recvmmsg(fd, headers, slots, MSG_WAITFORONE, NULL), size;
    if (got < 0 && errno != EAGAIN)
        die("recvmmsg");
    for (int i = 0; i < got; i++)
        count += segments_in(&headers[i].msg_hdr, headers[i].msg_len, &size);
    return count;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: client PORT SIZE MILLISECONDS mmsg|gso\n");
        return 2;
    }
    unsigned size = (unsigned)atoi(argv[2]), gso = argv[4][0] == 'g', lost = 0;
    unsigned long answered = 0;
    struct sockaddr_in to = loopback(atoi(argv[1]));
    struct timeval patience = {0, 20000};
    int fd = bound(0);
    memset(payload, 'x', sizeof payload);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("connect");
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (gso)
        set_int(fd, SOL_UDP, UDP_GRO, 1, "UDP_GRO");
    double start = now(), used = cpu(), until = start + atoi(argv[3]) / 1e3;
    for (unsigned due = IN_FLIGHT; now() < until;) {
        (gso ? send_train : send_singly)(fd, size, due);
        due = collect(fd, gso ? 4 : IN_FLIGHT);
        answered += due;
        if (due == 0)
            due = IN_FLIGHT, lost += IN_FLIGHT;
    }
    printf("count=%lu bytes=%lu seconds=%.6f cpu=%.6f lost=%u\n", answered, answered * size, now() - start,
           cpu() - used, lost);
    fflush(stdout);
    while (send(fd, "end", END, 0) == END && recv(fd, input[0], SLOT, 0) >= 0) /* what was in flight comes first */
        ;
    return 0;
}
