/* SPDX-License-Identifier: MIT */
/* A datagram socket's descriptor: open, bind, connect, name, close, and its pending error. Every function returns 0 (or
 * a descriptor) or a negative errno. Sending and receiving are os.h's affair, socket options are option.h's. */
#ifndef DG_NET_DESCRIPTOR_H
#define DG_NET_DESCRIPTOR_H

#include "address.h"

DG_HIDDEN_BEGIN

/* socket(2), non-blocking and close-on-exec. Its errors are reported as prioritized events, too (socket(7),
 * SO_SELECT_ERR_QUEUE); without that libuv stops watching a descriptor that is readable and has an error. */
int dg_descriptor_open(int family);
/* Does the same under this number, which dg_descriptor_retire keeps taken. Where the process has no other descriptor
 * left, the number is given up to get one: then the new descriptor may get another number, or none. Returns it, or a
 * negative errno. */
int dg_descriptor_open_as(int family, int number);
/* socketpair(2) of Unix sockets, with the same properties. Returns 0 or a negative errno. */
int dg_descriptor_pair(int fds[2]);
int dg_descriptor_is_open(int fd);
/* Returns whether something can be read from it, or an error be taken, now. A loop's descriptor (epoll(7), kqueue(2))
 * is so when anything that the loop watches is due. poll(2) */
int dg_descriptor_is_ready(int fd);
/* getpid(2), to know which process made a descriptor. */
long dg_descriptor_process(void);
int dg_descriptor_bind(int fd, const dg_address *address);
/* getsockname(2). */
int dg_descriptor_name(int fd, dg_address *out);
/* connect(2), with AF_UNSPEC to disconnect. For datagram sockets the kernel only notes the peer. */
int dg_descriptor_connect(int fd, const dg_address *address);
int dg_descriptor_disconnect(int fd);
/* Returns the index of the interface that the socket is bound to, by SO_BINDTODEVICE or by a link-local address's zone;
 * 0: none, or the system does not say. The second binds it to one, and fails without privileges on Linux before 5.7. */
unsigned dg_descriptor_device(int fd);
int dg_descriptor_set_device(int fd, unsigned index);
/* Binds it to an interface by name; -ENODEV where there is none. */
int dg_descriptor_set_device_name(int fd, const char *name);
/* getpeername(2); -ENOTCONN without a peer. */
int dg_descriptor_peer(int fd, dg_address *out);

/* What an adopted descriptor is. */
typedef struct dg_descriptor_facts {
    int family; /* AF_INET, AF_INET6, AF_UNIX */
    int bound;
    int connected;
    int v6only;
} dg_descriptor_facts;

/* Finds that out. Returns 0, -EBADF, or -ENOTSOCK for anything but a datagram socket of these families. Changes
 * nothing. */
int dg_descriptor_inspect(int fd, dg_descriptor_facts *out);
/* Makes it non-blocking and close-on-exec, and has its errors reported as dg_descriptor_open does. */
int dg_descriptor_adopt(int fd);
/* Takes the pending error (SO_ERROR) and returns it as a negative errno; 0: there is none. */
int dg_descriptor_take_error(int fd);
/* Empties the error queue (ip(7), IP_RECVERR; timestamps of sent datagrams); of a very long one a part. */
void dg_descriptor_drop_error_queue(int fd);
/* Makes a Unix socket stop reading: others' sends to it fail from now on, and senders that wait for room in its queue
 * are woken. Uses shutdown(2), which acts on the open file: never call it where others may have the file, too. */
void dg_descriptor_refuse_senders(int fd);
/* Closes the socket but keeps the descriptor's number taken, so that a new descriptor cannot be mistaken for the old
 * one. The number is to be closed later. Returns 0 or a negative errno (nothing changed). */
int dg_descriptor_retire(int fd);
/* Returns another descriptor of the same socket, or a negative errno. */
int dg_descriptor_duplicate(int fd);
/* Puts the new Unix socket `fresh` in the place of the socket `fd`, with that one's options. */
void dg_descriptor_replace(int fd, int fresh);
/* close(2). The descriptor is closed whatever the call returns, EINTR included. The numbers of standard input, output
 * and error stay taken: who got one of them next would be taken for that, and libuv ends the process when it is to
 * close one. */
void dg_descriptor_close(int fd);

DG_HIDDEN_END

#endif
