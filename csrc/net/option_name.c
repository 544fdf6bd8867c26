/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE
#include "option_name.h"

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#define NAME(constant)                                                                                                 \
    {                                                                                                                  \
#constant, constant                                                                                            \
    }

static const struct {
    const char *name;
    int number;
} names[] = {
    NAME(SOL_SOCKET),
    NAME(IPPROTO_IP),
    NAME(IPPROTO_IPV6),
    NAME(IPPROTO_UDP),
    NAME(SO_DONTROUTE),
    NAME(SO_RCVLOWAT),
    NAME(SO_TYPE),
    NAME(IP_TOS),
    NAME(IP_TTL),
    NAME(IPV6_UNICAST_HOPS),
#if defined(__linux__)
    NAME(SO_BINDTODEVICE),
    NAME(SO_BUSY_POLL),
    NAME(SO_DOMAIN),
    NAME(SO_INCOMING_CPU),
    NAME(SO_MARK),
    NAME(SO_NO_CHECK),
    NAME(SO_PASSCRED),
    NAME(SO_PEEK_OFF),
    NAME(SO_PEERCRED),
    NAME(SO_PRIORITY),
    NAME(SO_PROTOCOL),
    NAME(SO_RCVBUFFORCE),
    NAME(SO_RXQ_OVFL),
    NAME(SO_SNDBUFFORCE),
    NAME(IP_FREEBIND),
    NAME(IP_MTU),
    NAME(IP_MTU_DISCOVER),
    NAME(IP_MULTICAST_ALL),
    NAME(IP_TRANSPARENT),
    NAME(IPV6_MTU),
    NAME(IPV6_MTU_DISCOVER),
    NAME(IPV6_TCLASS),
    NAME(IPV6_TRANSPARENT),
#endif
};

int dg_option_name_find(const char *name, int *number)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i].name, name) == 0) {
            *number = names[i].number;
            return 1;
        }
    }
    return 0;
}
