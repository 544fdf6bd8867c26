/* Times whole processes, ten in turn: from the start to the answer to one datagram.
 *
 *     start PROGRAM [ARGUMENTS...]
 *
 * The program says `ready port=N` on its standard output, and answers one datagram. */
#include "common.h"

#include <sys/wait.h>

enum { RUNS = 10 };

static int read_port(int from)
{
    char line[256];
    size_t length = 0;
    while (length < sizeof line - 1) {
        ssize_t got = read(from, line + length, sizeof line - 1 - length);
        if (got <= 0)
            break;
        length += (size_t)got;
        line[length] = '\0';
        char *port = strstr(line, "port=");
        if (strchr(line, '\n') != NULL)
            return port != NULL ? atoi(port + 5) : 0;
    }
    return 0;
}

/* Seconds to the answer. */
static double time_once(char **command)
{
    int ends[2], status;
    if (pipe(ends) != 0)
        die("pipe");
    double start = now();
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
        execvp(command[0], command);
        die(command[0]);
    }
    close(ends[1]);
    struct sockaddr_in to = loopback(read_port(ends[0]));
    struct timeval patience = {5, 0};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    char answer[64];
    if (to.sin_port == 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("no port");
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (send(fd, "hello", 5, 0) != 5 || recv(fd, answer, sizeof answer, 0) != 5)
        die("no answer");
    double elapsed = now() - start;
    if (send(fd, "end", END, 0) != END)
        die("end");
    close(fd);
    while (read(ends[0], answer, sizeof answer) > 0) /* its report, until it ends */
        ;
    close(ends[0]);
    waitpid(child, &status, 0);
    return elapsed;
}

int main(int argc, char **argv)
{
    double total = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: start PROGRAM [ARGUMENTS...]\n");
        return 2;
    }
    for (int i = 0; i < RUNS; i++)
        total += time_once(argv + 1);
    printf("count=%d bytes=%d seconds=%.6f\n", RUNS, 5 * RUNS, total);
    return 0;
}
