/* Sends exactly so many datagrams of 64 bytes, the next when the answer has come and the process that answers sleeps: so what
 * that one does for each is always the same.
 *
 *     lone PORT COUNT PROCESS */
#include "common.h"

#include <sched.h>

/* Its state is the letter behind its name in parentheses. */
static int sleeps(const char *path)
{
    char text[512];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        die(path);
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    const char *end = strrchr(text, ')');
    return end != NULL && end[1] == ' ' && end[2] == 'S';
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: lone PORT COUNT PROCESS\n");
        return 2;
    }
    char path[64], datagram[64];
    struct sockaddr_in to = loopback(atoi(argv[1]));
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    snprintf(path, sizeof path, "/proc/%d/stat", atoi(argv[3]));
    memset(datagram, 'x', sizeof datagram);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("connect");
    for (int i = 0; i < atoi(argv[2]); i++) {
        while (!sleeps(path))
            sched_yield();
        if (send(fd, datagram, sizeof datagram, 0) < 0 || recv(fd, datagram, sizeof datagram, 0) < 0)
            die("no answer");
    }
    return 0;
}
