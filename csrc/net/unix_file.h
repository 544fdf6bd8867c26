/* SPDX-License-Identifier: MIT */
/* The file that binding a Unix socket to a path makes in the file system: its mode, a dead one that is in the way, and
 * its removal in the end. Abstract names have none. */
#ifndef DG_NET_UNIX_FILE_H
#define DG_NET_UNIX_FILE_H

#include <sys/types.h>

#include "address.h"

DG_HIDDEN_BEGIN

/* Which file a bind made. It belongs to the process and to the folder in which it was made: a forked child does not
 * remove it, and chdir(2) does not hide it. */
typedef struct dg_unix_file {
    char *path; /* absolute where the folder is known; NULL: there is no file */
    dev_t device;
    ino_t inode;
    pid_t maker;
} dg_unix_file;

/* What a bind does beside bind(2). */
typedef struct dg_unix_wishes {
    int mode;        /* the file's permissions, or -1 for what the umask leaves */
    int clears_dead; /* a socket file that nobody is bound to any more makes room */
} dg_unix_wishes;

/* Binds a descriptor to a name of any kind, and remembers the file. 0 or a negative errno; then the descriptor is
 * unbound, and no file is left. */
int dg_unix_file_bind(dg_unix_file *file, int fd, const dg_address *address, const dg_unix_wishes *wishes);

/* Removes the file if it is still the same one, and this is the process that made it. The socket must still be open: it
 * keeps the file's inode from being another file's. */
void dg_unix_file_remove(dg_unix_file *file);

/* Leaves the file where it is. */
void dg_unix_file_forget(dg_unix_file *file);

DG_HIDDEN_END

#endif
