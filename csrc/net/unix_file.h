/* SPDX-License-Identifier: MIT */
/* The file that binding a Unix socket to a path leaves in the file system: clearing away a dead one before, and
 * removing our own afterwards. Abstract names leave none. */
#ifndef DG_NET_UNIX_FILE_H
#define DG_NET_UNIX_FILE_H

#include <sys/types.h>

#include "address.h"

DG_HIDDEN_BEGIN

/* Which file a bind made. */
typedef struct dg_unix_file {
    dev_t device;
    ino_t inode;
    int made;
} dg_unix_file;

/* Removes the file at a path if it is a socket that nobody is bound to any more: connecting to it is refused. What is
 * no socket, or alive, stays. */
void dg_unix_file_clear(const dg_address *address);

/* Remembers the file that a bind to this address has made. */
void dg_unix_file_note(dg_unix_file *file, const dg_address *address);

/* Removes it if it is still the same file. */
void dg_unix_file_remove(dg_unix_file *file, const dg_address *address);

DG_HIDDEN_END

#endif
