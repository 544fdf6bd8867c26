/* Preloaded into what is measured, counts its calls of the kernel that have to do with datagrams and with waiting for them;
 * at the end it writes a line `calls receives=N sends=N others=N` to the standard error output. What a call costs grows by
 * some nanoseconds. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

static unsigned long receives, sends, others;

#define COUNTED(counter, type, name, parameters, ...)                                                                  \
    type name parameters                                                                                               \
    {                                                                                                                  \
        static type(*next) parameters;                                                                                 \
        if (next == NULL)                                                                                              \
            *(void **)&next = dlsym(RTLD_NEXT, #name);                                                                 \
        counter++;                                                                                                     \
        return next(__VA_ARGS__);                                                                                      \
    }

typedef struct epoll_event *events;

COUNTED(receives, ssize_t, recv, (int fd, void *to, size_t size, int flags), fd, to, size, flags)
COUNTED(receives, ssize_t, recvfrom,
        (int fd, void *to, size_t size, int flags, struct sockaddr *from, socklen_t *length), fd, to, size, flags, from,
        length)
COUNTED(receives, ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags), fd, msg, flags)
COUNTED(receives, int, recvmmsg, (int fd, struct mmsghdr *all, unsigned count, int flags, struct timespec *limit), fd,
        all, count, flags, limit)
COUNTED(sends, ssize_t, send, (int fd, const void *from, size_t size, int flags), fd, from, size, flags)
COUNTED(sends, ssize_t, sendto,
        (int fd, const void *from, size_t size, int flags, const struct sockaddr *to, socklen_t length), fd, from, size,
        flags, to, length)
COUNTED(sends, ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags), fd, msg, flags)
COUNTED(sends, int, sendmmsg, (int fd, struct mmsghdr *all, unsigned count, int flags), fd, all, count, flags)
COUNTED(others, int, epoll_wait, (int fd, events all, int most, int limit), fd, all, most, limit)
COUNTED(others, int, epoll_pwait, (int fd, events all, int most, int limit, const sigset_t *set), fd, all, most, limit,
        set)
COUNTED(others, int, epoll_ctl, (int fd, int operation, int other, events event), fd, operation, other, event)
COUNTED(others, int, poll, (struct pollfd * all, nfds_t count, int limit), all, count, limit)
COUNTED(others, int, select, (int count, fd_set *in, fd_set *out, fd_set *bad, struct timeval *limit), count, in, out,
        bad, limit)
COUNTED(others, int, timerfd_settime, (int fd, int flags, const struct itimerspec *at, struct itimerspec *was), fd,
        flags, at, was)
COUNTED(others, ssize_t, read, (int fd, void *to, size_t size), fd, to, size)
COUNTED(others, ssize_t, write, (int fd, const void *from, size_t size), fd, from, size)

/* Older versions of libuv make some of their calls by number. */
long syscall(long number, ...)
{
    static long (*next)(long, ...);
    long a[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    if (next == NULL)
        *(void **)&next = dlsym(RTLD_NEXT, "syscall");
    receives += number == SYS_recvmmsg;
    sends += number == SYS_sendmmsg;
    others += number == SYS_epoll_pwait;
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

__attribute__((destructor)) static void report(void)
{
    fprintf(stderr, "calls receives=%lu sends=%lu others=%lu\n", receives, sends, others);
}
