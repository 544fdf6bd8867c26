/* Sends exactly so many datagrams, in trains of 64.
 *
 *     train PORT SIZE COUNT */
#include "common.h"

static char payload[SLOT];

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: train PORT SIZE COUNT\n");
        return 2;
    }
    struct sockaddr_in to = loopback(atoi(argv[1]));
    unsigned size = (unsigned)atoi(argv[2]), left = (unsigned)atoi(argv[3]), most = train_length(size);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    memset(payload, 'x', sizeof payload);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("connect");
    while (left != 0) {
        char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
        unsigned count = left < most ? left : most;
        struct iovec buffer = {payload, (size_t)size * count};
        struct msghdr header = {.msg_iov = &buffer, .msg_iovlen = 1};
        if (count > 1)
            segment(&header, control, size);
        if (sendmsg(fd, &header, 0) < 0)
            die("sendmsg");
        left -= count;
    }
    return 0;
}
