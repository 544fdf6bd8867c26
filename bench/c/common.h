/* What the C programs share. They are the senders, the receivers and the limits that the peers are measured with. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO 104
#endif
#ifndef SOL_UDP
#define SOL_UDP 17
#endif

enum {
    BUFFER = 4 * 1024 * 1024, /* what every receiver asks for */
    SLOT = 65536,             /* the largest datagram, or train of them */
    SEGMENTS = 64,            /* datagrams a segmented send carries on every kernel that has it */
    MOST_SEGMENTS = 128,      /* and on newer ones */
    LARGEST_TRAIN = 65507,
    END = 3,                /* a datagram of so many bytes says that the measurement is over */
    LATENCIES = 256 * 1024, /* the last ones count */
};

static inline void die(const char *what)
{
    perror(what);
    exit(1);
}

static inline double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline double now(void)
{
    return seconds(CLOCK_MONOTONIC);
}

static inline double cpu(void)
{
    return seconds(CLOCK_PROCESS_CPUTIME_ID);
}

static double latencies[LATENCIES];
static unsigned long latency_count;

static inline void note_latency(double value)
{
    latencies[latency_count++ % LATENCIES] = value;
}

static inline int compare_latencies(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The rest of a line: the percentiles in microseconds. */
static inline void print_latencies(void)
{
    size_t count = latency_count < LATENCIES ? latency_count : LATENCIES;
    qsort(latencies, count, sizeof *latencies, compare_latencies);
    if (count != 0)
        printf(" p50=%.3f p90=%.3f p99=%.3f", latencies[count / 2] * 1e6, latencies[count * 9 / 10] * 1e6,
               latencies[count * 99 / 100] * 1e6);
    printf("\n");
}

static inline struct sockaddr_in loopback(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return to;
}

static inline int port_of(int fd)
{
    struct sockaddr_in in;
    socklen_t length = sizeof in;
    if (getsockname(fd, (struct sockaddr *)&in, &length) != 0)
        die("getsockname");
    return ntohs(in.sin_port);
}

/* A socket on a free port, of the loopback address or of all. */
static inline int bound(int everywhere)
{
    struct sockaddr_in at = loopback(0);
    int fd = socket(AF_INET, SOCK_DGRAM, 0), size = BUFFER;
    if (fd < 0)
        die("socket");
    if (everywhere)
        at.sin_addr.s_addr = htonl(INADDR_ANY);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) != 0)
        die("SO_RCVBUF");
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0)
        die("bind");
    return fd;
}

static inline void say_ready(int fd)
{
    int size;
    socklen_t length = sizeof size;
    getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &length);
    printf("ready port=%d buffer=%d\n", port_of(fd), size);
    fflush(stdout);
}

static inline void set_int(int fd, int level, int name, int value, const char *what)
{
    if (setsockopt(fd, level, name, &value, sizeof value) != 0)
        die(what);
}

/* Sends end markers from a connected socket until the other end has closed its port. */
static inline void end(int fd)
{
    struct timespec pause = {0, 1000000};
    for (int i = 0; i < 3000; i++) {
        if (send(fd, "end", END, 0) < 0 && errno == ECONNREFUSED)
            return;
        nanosleep(&pause, NULL);
    }
    fprintf(stderr, "the receiver did not end\n");
    exit(1);
}

/* How many datagrams a message of `length` bytes carries. */
static inline unsigned segments_in(struct msghdr *header, size_t length, int *size)
{
    *size = (int)length;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c))
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO)
            memcpy(size, CMSG_DATA(c), sizeof *size);
    return *size == 0 ? 1 : (unsigned)((length + (size_t)*size - 1) / (size_t)*size);
}

/* Attaches the segment size to a message; `control` has room for CMSG_SPACE(2). */
static inline void segment(struct msghdr *header, void *control, unsigned size)
{
    uint16_t value = (uint16_t)size;
    header->msg_control = control;
    header->msg_controllen = CMSG_SPACE(sizeof value);
    struct cmsghdr *c = CMSG_FIRSTHDR(header);
    c->cmsg_level = SOL_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof value);
    memcpy(CMSG_DATA(c), &value, sizeof value);
}

static inline unsigned train_up_to(unsigned segments, unsigned size)
{
    unsigned most = LARGEST_TRAIN / size;
    return most < segments ? most : segments;
}

static inline unsigned train_length(unsigned size)
{
    return train_up_to(SEGMENTS, size);
}

#endif
