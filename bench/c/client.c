/* An echo server's load: so many datagrams in flight, each answered by the server and then sent again.
 *
 *     client PORT SIZE MILLISECONDS each|gso|many IN_FLIGHT
 *
 * each: recvmmsg and sendmmsg. gso: trains both ways, so that the client is never what limits a fast server.
 * many: as each, from 1,000 addresses in turn. IN_FLIGHT: 64 at most.
 * Each datagram begins with the time at which it was sent, so its answer tells how long it took. What is lost is replaced
 * after 200 ms of silence. End markers go out last. */
#define _GNU_SOURCE
#include "common.h"

enum { MOST = 64, ADDRESSES = 1000, PATIENCE_US = 200000 };

static char payload[MOST * SLOT], input[MOST][SLOT], controls[MOST][64];
static struct mmsghdr headers[MOST];
static struct iovec buffers[MOST];
static struct sockaddr_in server;
static unsigned size;

static void stamp(unsigned count)
{
    double sent = now();
    for (unsigned i = 0; i < count; i++)
        memcpy(payload + (size_t)i * size, &sent, sizeof sent);
}

/* The source address of a message, by its control message. */
static void come_from(struct msghdr *header, void *control, uint32_t number)
{
    struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK + number)};
    header->msg_control = control;
    header->msg_controllen = CMSG_SPACE(sizeof info);
    struct cmsghdr *c = CMSG_FIRSTHDR(header);
    c->cmsg_level = IPPROTO_IP;
    c->cmsg_type = IP_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof info);
    memcpy(CMSG_DATA(c), &info, sizeof info);
}

static void send_singly(int fd, unsigned count, int many)
{
    static uint32_t next;
    memset(headers, 0, sizeof headers);
    for (unsigned i = 0; i < count; i++) {
        struct msghdr *header = &headers[i].msg_hdr;
        buffers[i] = (struct iovec){payload + (size_t)i * size, size};
        header->msg_iov = &buffers[i];
        header->msg_iovlen = 1;
        header->msg_name = &server;
        header->msg_namelen = sizeof server;
        if (many)
            come_from(header, controls[i], next++ % ADDRESSES);
    }
    for (unsigned at = 0; at < count;) {
        int sent = sendmmsg(fd, headers + at, count - at, 0);
        if (sent < 0)
            die("sendmmsg");
        at += (unsigned)sent;
    }
}

static void send_trains(int fd, unsigned count)
{
    unsigned most = train_length(size);
    for (unsigned at = 0; at < count; at += most) {
        char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
        unsigned segments = count - at < most ? count - at : most;
        struct iovec buffer = {payload + (size_t)at * size, (size_t)size * segments};
        struct msghdr header = {.msg_name = &server, .msg_namelen = sizeof server, .msg_iov = &buffer, .msg_iovlen = 1};
        if (segments > 1)
            segment(&header, control, size);
        if (sendmsg(fd, &header, 0) < 0)
            die("sendmsg");
    }
}

/* Waits for answers; returns how many came, 0 after silence. */
static unsigned collect(int fd, unsigned slots)
{
    unsigned count = 0;
    for (unsigned i = 0; i < slots; i++) {
        buffers[i] = (struct iovec){input[i], SLOT};
        headers[i].msg_hdr = (struct msghdr){
            .msg_iov = &buffers[i], .msg_iovlen = 1, .msg_control = controls[i], .msg_controllen = sizeof controls[i]};
    }
    int got = recvmmsg(fd, headers, slots, MSG_WAITFORONE, NULL), each;
    if (got < 0 && errno != EAGAIN)
        die("recvmmsg");
    double came = now(), sent;
    for (int i = 0; i < got; i++) {
        count += segments_in(&headers[i].msg_hdr, headers[i].msg_len, &each);
        for (unsigned at = 0; at < headers[i].msg_len; at += (unsigned)each) {
            memcpy(&sent, input[i] + at, sizeof sent);
            note_latency(came - sent);
        }
    }
    return count;
}

int main(int argc, char **argv)
{
    if (argc != 6 || (size = (unsigned)atoi(argv[2])) < sizeof(double) || atoi(argv[5]) > MOST) {
        fprintf(stderr, "usage: client PORT SIZE MILLISECONDS each|gso|many IN_FLIGHT\n");
        return 2;
    }
    unsigned in_flight = (unsigned)atoi(argv[5]), lost = 0;
    int gso = argv[4][0] == 'g', many = argv[4][0] == 'm', fd = bound(many);
    unsigned long answered = 0;
    struct timeval patience = {0, PATIENCE_US};
    server = loopback(atoi(argv[1]));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (gso)
        set_int(fd, SOL_UDP, UDP_GRO, 1, "UDP_GRO");
    double start = now(), used = cpu(), until = start + atoi(argv[3]) / 1e3;
    for (unsigned due = in_flight; now() < until;) {
        stamp(due);
        if (gso)
            send_trains(fd, due);
        else
            send_singly(fd, due, many);
        due = collect(fd, gso ? 4 : in_flight);
        answered += due;
        if (due == 0)
            due = in_flight, lost += in_flight;
    }
    printf("count=%lu bytes=%lu seconds=%.6f cpu=%.6f lost=%u", answered, answered * size, now() - start, cpu() - used,
           lost);
    print_latencies();
    fflush(stdout);
    int last = socket(AF_INET, SOCK_DGRAM, 0);
    if (last < 0 || connect(last, (struct sockaddr *)&server, sizeof server) != 0)
        die("connect");
    end(last);
    return 0;
}
