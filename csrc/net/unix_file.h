/* SPDX-License-Identifier: MIT */
/* The file that bind(2) makes for a Unix socket with a path: its mode, a dead file that is in the way, and its removal
 * in the end. Abstract names have no file. */
#ifndef DG_NET_UNIX_FILE_H
#define DG_NET_UNIX_FILE_H

#include <sys/types.h>

#include "address.h"

DG_HIDDEN_BEGIN

/* The file that a bind made. Only the process that made it removes it, not a forked child; chdir(2) does not matter. */
typedef struct dg_unix_file {
    char *path; /* absolute where the folder is known; NULL: there is no file */
    dev_t device;
    ino_t inode;
    pid_t maker;
} dg_unix_file;

/* What a bind shall do beside bind(2). */
typedef struct dg_unix_wishes {
    int mode;        /* the file's permissions, or -1 for what the umask leaves */
    int clears_dead; /* remove a socket file that no socket is bound to any more */
} dg_unix_wishes;

/* Binds a descriptor to a name of any kind, and remembers the file. Returns 0 or a negative errno; then the descriptor
 * is unbound, and no file is left. */
int dg_unix_file_bind(dg_unix_file *file, int fd, const dg_address *address, const dg_unix_wishes *wishes);

/* Removes the file if it is still the same one and this process made it. The socket must still be open, because then no
 * other file can have the inode. */
void dg_unix_file_remove(dg_unix_file *file);

/* Forgets the file, which stays where it is. */
void dg_unix_file_forget(dg_unix_file *file);

DG_HIDDEN_END

#endif
