/* SPDX-License-Identifier: MIT */
/* The life of a datagram socket's descriptor: open, bind, name, close, and the error that waits on it.
 * Every function returns 0 (or a descriptor) or a negative errno. Batches of datagrams are os.h's. */
#ifndef DG_NET_DESCRIPTOR_H
#define DG_NET_DESCRIPTOR_H

#include "address.h"

DG_HIDDEN_BEGIN

/* socket(2), non-blocking and close-on-exec; its errors are told as prioritized events, too (socket(7),
 * SO_SELECT_ERR_QUEUE): libuv stops watching a descriptor that is readable and has an error, but for those. */
int dg_descriptor_open(int family);
/* The same under this number, which is taken already (dg_descriptor_retire). Where there is no other one to be had,
 * that is given up for it: then the descriptor may get another number, or none. Returns it, or a negative errno. */
int dg_descriptor_open_as(int family, int number);
/* socketpair(2) of Unix sockets, with the same properties. 0 or a negative errno. */
int dg_descriptor_pair(int fds[2]);
int dg_descriptor_is_open(int fd);
/* getpid(2): whose descriptors these are. */
long dg_descriptor_process(void);
int dg_descriptor_bind(int fd, const dg_address *address);
/* getsockname(2). */
int dg_descriptor_name(int fd, dg_address *out);
/* connect(2): a datagram socket's peer is noted, nobody is asked. Disconnecting takes the peer away. */
int dg_descriptor_connect(int fd, const dg_address *address);
int dg_descriptor_disconnect(int fd);
/* The interface that it is bound to by SO_BINDTODEVICE or by a link-local address's zone, as an index; 0: none, or the
 * system does not tell. The second may fail where that takes privileges (Linux before 5.7). */
unsigned dg_descriptor_device(int fd);
int dg_descriptor_set_device(int fd, unsigned index);
/* The same by the interface's name; -ENODEV where there is none. */
int dg_descriptor_set_device_name(int fd, const char *name);
/* getpeername(2); -ENOTCONN without a peer. */
int dg_descriptor_peer(int fd, dg_address *out);

/* What a descriptor that comes from elsewhere is. */
typedef struct dg_descriptor_facts {
    int family; /* AF_INET, AF_INET6, AF_UNIX */
    int bound;
    int connected;
    int v6only;
} dg_descriptor_facts;

/* Finds that out: 0, -EBADF, or -ENOTSOCK for what is no datagram socket of these families. Changes nothing. */
int dg_descriptor_inspect(int fd, dg_descriptor_facts *out);
/* Makes it non-blocking and close-on-exec, and has its errors told as dg_descriptor_open does. */
int dg_descriptor_adopt(int fd);
/* Takes the pending error (SO_ERROR), as a negative errno; 0 when there is none. */
int dg_descriptor_take_error(int fd);
/* Empties the error queue (ip(7), IP_RECVERR; timestamps of sent datagrams), or a part of it. */
void dg_descriptor_drop_error_queue(int fd);
/* A Unix socket that reads no more: others' sends to it fail from now on, and those that wait for room in its queue are
 * woken. shutdown(2), which acts on the open file. */
void dg_descriptor_refuse_senders(int fd);
/* Closes the socket but keeps its number taken, so that nobody gets it whom somebody mistakes for the old one. The
 * number is to be closed later. 0 or a negative errno (nothing changed). */
int dg_descriptor_retire(int fd);
/* Another number for the same socket, or a negative errno. */
int dg_descriptor_duplicate(int fd);
/* Puts a Unix socket that is fresh in the place of the one that has this number, with the options that it had. */
void dg_descriptor_replace(int fd, int fresh);
/* close(2); the descriptor is gone whatever it says, EINTR included. */
void dg_descriptor_close(int fd);

DG_HIDDEN_END

#endif
