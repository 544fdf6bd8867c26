/* SPDX-License-Identifier: MIT */
/* The life of a datagram socket's descriptor: open, bind, name, close, and the error that waits on it.
 * Every function returns 0 (or a descriptor) or a negative errno. Batches of datagrams are os.h's. */
#ifndef DG_NET_DESCRIPTOR_H
#define DG_NET_DESCRIPTOR_H

#include "address.h"

DG_HIDDEN_BEGIN

/* socket(2), non-blocking and close-on-exec. */
int dg_descriptor_open(int family);
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
/* Makes it non-blocking and close-on-exec. */
int dg_descriptor_adopt(int fd);
/* Takes the pending error (SO_ERROR), as a negative errno; 0 when there is none. */
int dg_descriptor_take_error(int fd);
/* Closes the socket but keeps its number taken, so that nobody gets it whom somebody mistakes for the old one. The
 * number is to be closed later. 0 or a negative errno (nothing changed). */
int dg_descriptor_retire(int fd);
/* close(2); the descriptor is gone whatever it says, EINTR included. */
void dg_descriptor_close(int fd);

DG_HIDDEN_END

#endif
