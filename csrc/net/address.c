/* SPDX-License-Identifier: MIT */
#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_in(dg_address *out, struct in_addr host, unsigned port)
{
    memset(&out->u.in, 0, sizeof out->u.in);
    out->u.in.sin_family = AF_INET;
    out->u.in.sin_port = htons((in_port_t)port);
    out->u.in.sin_addr = host;
    out->length = sizeof out->u.in;
}

static void set_in6(dg_address *out, const struct in6_addr *host, unsigned port)
{
    memset(&out->u.in6, 0, sizeof out->u.in6);
    out->u.in6.sin6_family = AF_INET6;
    out->u.in6.sin6_port = htons((in_port_t)port);
    out->u.in6.sin6_addr = *host;
    out->length = sizeof out->u.in6;
}

static void map_in6(dg_address *out, struct in_addr host, unsigned port)
{
    struct in6_addr mapped = {{{0}}};
    mapped.s6_addr[10] = 0xff;
    mapped.s6_addr[11] = 0xff;
    memcpy(mapped.s6_addr + 12, &host, 4);
    set_in6(out, &mapped, port);
}

/* A zone is an interface's name or its number (RFC 4007, 11.2). */
static unsigned zone_index(const char *zone)
{
    unsigned index = if_nametoindex(zone);
    if (index != 0)
        return index;
    char *end;
    unsigned long number = strtoul(zone, &end, 10);
    return *zone >= '0' && *zone <= '9' && *end == '\0' && number <= 0x7fffffff ? (unsigned)number : 0;
}

static int parse_in6(dg_address *out, const char *text, unsigned port)
{
    char literal[INET6_ADDRSTRLEN];
    const char *zone = strchr(text, '%');
    size_t length = zone != NULL ? (size_t)(zone - text) : strlen(text);
    struct in6_addr host;
    if (length >= sizeof literal)
        return DG_NOT_A_LITERAL;
    memcpy(literal, text, length);
    literal[length] = '\0';
    if (inet_pton(AF_INET6, literal, &host) != 1)
        return DG_NOT_A_LITERAL;
    set_in6(out, &host, port);
    if (zone == NULL)
        return 0;
    out->u.in6.sin6_scope_id = zone_index(zone + 1);
    return out->u.in6.sin6_scope_id != 0 ? 0 : -ENODEV;
}

int dg_address_parse(dg_address *out, int family, int mapped, const char *text, unsigned port)
{
    struct in_addr host;
    if (inet_pton(AF_INET, text, &host) == 1) {
        if (family == AF_INET)
            set_in(out, host, port);
        else if (mapped)
            map_in6(out, host, port);
        else
            return -EINVAL;
        return 0;
    }
    int status = parse_in6(out, text, port);
    return status != DG_NOT_A_LITERAL && family == AF_INET ? -EINVAL : status;
}

int dg_address_unix(dg_address *out, const char *name, size_t length)
{
    struct sockaddr_un *un = &out->u.un;
    int is_path = length != 0 && name[0] != '\0';
    if (length + (size_t)is_path > sizeof un->sun_path)
        return -ENAMETOOLONG;
    memset(un, 0, sizeof *un);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, name, length);
    out->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (size_t)is_path);
    return 0;
}

void dg_address_any(dg_address *out, int family, unsigned port)
{
    if (family == AF_INET6) {
        set_in6(out, &in6addr_any, port);
    } else {
        struct in_addr host = {htonl(INADDR_ANY)};
        set_in(out, host, port);
    }
}

void dg_address_loopback(dg_address *out, int family, unsigned port)
{
    if (family == AF_INET6) {
        set_in6(out, &in6addr_loopback, port);
    } else {
        struct in_addr host = {htonl(INADDR_LOOPBACK)};
        set_in(out, host, port);
    }
}

/* Returns whether the address needs a zone: only these two kinds are ambiguous without their interface. */
static int needs_zone(const struct in6_addr *host)
{
    return IN6_IS_ADDR_LINKLOCAL(host) || IN6_IS_ADDR_MC_LINKLOCAL(host);
}

static size_t format_in6(const struct sockaddr_in6 *in6, char text[DG_ADDRESS_TEXT])
{
    char name[IF_NAMESIZE];
    inet_ntop(AF_INET6, &in6->sin6_addr, text, INET6_ADDRSTRLEN);
    size_t length = strlen(text);
    if (in6->sin6_scope_id == 0 || !needs_zone(&in6->sin6_addr))
        return length;
    int more = if_indextoname(in6->sin6_scope_id, name) != NULL
                   ? snprintf(text + length, DG_ADDRESS_TEXT - length, "%%%s", name)
                   : snprintf(text + length, DG_ADDRESS_TEXT - length, "%%%u", (unsigned)in6->sin6_scope_id);
    return length + (size_t)more;
}

/* A path may or may not come with its NUL; an abstract name is as long as the kernel says. */
static size_t format_un(const dg_address *address, char text[DG_ADDRESS_TEXT])
{
    const char *name = address->u.un.sun_path;
    size_t start = offsetof(struct sockaddr_un, sun_path);
    size_t length = address->length > start ? address->length - start : 0;
    if (length != 0 && name[0] != '\0')
        length = strnlen(name, length);
    memcpy(text, name, length);
    text[length] = '\0';
    return length;
}

size_t dg_address_format(const dg_address *address, char text[DG_ADDRESS_TEXT])
{
    text[0] = '\0';
    if (address->length == 0)
        return 0;
    if (address->u.any.sa_family == AF_INET6)
        return format_in6(&address->u.in6, text);
    if (address->u.any.sa_family == AF_UNIX)
        return format_un(address, text);
    if (address->u.any.sa_family == AF_INET)
        inet_ntop(AF_INET, &address->u.in.sin_addr, text, DG_ADDRESS_TEXT);
    return strlen(text);
}

void dg_address_set_port(dg_address *address, unsigned port)
{
    address->u.in.sin_port = htons((in_port_t)port);
}

int dg_address_same(const dg_address *a, const dg_address *b)
{
    if (a->u.any.sa_family != AF_INET6 || a->length == 0 || a->length != b->length)
        return dg_address_equal(a, b);
    return b->u.any.sa_family == AF_INET6 && a->u.in6.sin6_port == b->u.in6.sin6_port &&
           a->u.in6.sin6_scope_id == b->u.in6.sin6_scope_id &&
           memcmp(&a->u.in6.sin6_addr, &b->u.in6.sin6_addr, sizeof a->u.in6.sin6_addr) == 0;
}

int dg_address_lacks_zone(const dg_address *address)
{
    return address->u.any.sa_family == AF_INET6 && needs_zone(&address->u.in6.sin6_addr) &&
           address->u.in6.sin6_scope_id == 0;
}

/* Returns whether it is IPv4, mapped addresses included; stores it in host order. */
static int take_ipv4(const dg_address *address, uint32_t *out)
{
    struct in_addr in;
    if (address->u.any.sa_family == AF_INET)
        in = address->u.in.sin_addr;
    else if (IN6_IS_ADDR_V4MAPPED(&address->u.in6.sin6_addr))
        memcpy(&in, &address->u.in6.sin6_addr.s6_addr[12], sizeof in);
    else
        return 0;
    *out = ntohl(in.s_addr);
    return 1;
}

int dg_address_is_any(const dg_address *address)
{
    uint32_t ipv4;
    return take_ipv4(address, &ipv4) ? ipv4 == INADDR_ANY : IN6_IS_ADDR_UNSPECIFIED(&address->u.in6.sin6_addr);
}

int dg_address_is_link_local(const dg_address *address)
{
    uint32_t ipv4;
    return take_ipv4(address, &ipv4) ? ipv4 >> 16 == 0xa9fe : IN6_IS_ADDR_LINKLOCAL(&address->u.in6.sin6_addr);
}

int dg_address_is_host(const dg_address *address)
{
    uint32_t ipv4;
    if (take_ipv4(address, &ipv4))
        return ipv4 != INADDR_ANY && ipv4 != INADDR_BROADCAST && !IN_MULTICAST(ipv4);
    return !IN6_IS_ADDR_UNSPECIFIED(&address->u.in6.sin6_addr) && !IN6_IS_ADDR_MULTICAST(&address->u.in6.sin6_addr);
}

int dg_address_is_multicast(const dg_address *address)
{
    if (address->u.any.sa_family == AF_INET6)
        return IN6_IS_ADDR_MULTICAST(&address->u.in6.sin6_addr);
    return IN_MULTICAST(ntohl(address->u.in.sin_addr.s_addr));
}
