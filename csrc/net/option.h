/* SPDX-License-Identifier: MIT */
/* Socket options by subject, for both families (ip(7), ipv6(7), socket(7)). Each function returns 0 or a negative
 * errno. The caller checks ranges. */
#ifndef DG_NET_OPTION_H
#define DG_NET_OPTION_H

#include <stddef.h>
#include <stdint.h>

#include "attributes.h"
#include "interface.h"

DG_HIDDEN_BEGIN

int dg_option_set_broadcast(int fd, int family, int on);
int dg_option_get_broadcast(int fd, int *on);
int dg_option_set_reuse_address(int fd, int family, int on);
/* Datagrams are spread over the sockets that share the port; -ENOTSUP where the system cannot. */
int dg_option_set_reuse_port(int fd, int family, int on);
int dg_option_set_ipv6_only(int fd, int family, int on);

/* Hop limits. An IPv6 socket gets the IPv4 one too, for its mapped peers. */
int dg_option_set_ttl(int fd, int family, int hops);
int dg_option_set_multicast_ttl(int fd, int family, int hops);

int dg_option_set_multicast_loopback(int fd, int family, int on);
/* The traffic class: DSCP and ECN, 0 to 255. An IPv6 socket has another one for its mapped peers, which is set, too;
 * the getter returns the IPv6 one. */
int dg_option_set_tos(int fd, int family, int tos);
int dg_option_get_tos(int fd, int family, int *tos);
/* On: no datagram is fragmented; one that is too long for the interface fails with -EMSGSIZE. Off: the system's
 * default. */
int dg_option_set_dont_fragment(int fd, int family, int on);
/* The MTU of the path to the connected peer, of this family, as far as the kernel knows; -ENOTCONN where the kernel has
 * to look for the path anew. */
int dg_option_get_path_mtu(int fd, int family, int *bytes);

/* Off: the socket does not receive from groups that only other sockets have joined. -ENOTSUP where the system
 * cannot. */
int dg_option_set_multicast_all(int fd, int family, int on);
/* The interface that multicast leaves by, and over IPv4 which of its addresses it comes from. On a dual-stack socket it
 * holds for groups of both families, but an interface named by its IPv4 address holds for IPv4 only. */
int dg_option_set_multicast_interface(int fd, int family, int dual, const dg_interface *interface);

/* Buffer sizes in bytes, as the kernel counts (Linux reports twice what was set, socket(7)). */
int dg_option_set_receive_buffer(int fd, int family, int bytes);
int dg_option_set_send_buffer(int fd, int family, int bytes);
int dg_option_get_receive_buffer(int fd, int *bytes);
int dg_option_get_send_buffer(int fd, int *bytes);

/* Any option, as the bytes that the kernel takes and gives; `length` is how many there is room for, and then how many
 * came. */
int dg_option_set_bytes(int fd, int level, int name, const void *value, size_t length);
int dg_option_get_bytes(int fd, int level, int name, void *value, size_t *length);

/* Datagrams that the kernel dropped because the receive buffer was full; -ENOTSUP where it does not say. */
int dg_option_get_drops(int fd, uint32_t *drops);

DG_HIDDEN_END

#endif
