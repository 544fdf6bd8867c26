/* SPDX-License-Identifier: MIT */
#include "unix_file.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "descriptor.h"

/* The path, or NULL for an abstract name. */
static const char *path_of(const dg_address *address, char text[DG_ADDRESS_TEXT])
{
    return dg_address_format(address, text) != 0 && text[0] != '\0' ? text : NULL;
}

static int is_dead(const dg_address *address)
{
    int fd = dg_descriptor_open(AF_UNIX);
    if (fd < 0)
        return 0;
    int status = dg_descriptor_connect(fd, address);
    dg_descriptor_close(fd);
    return status == -ECONNREFUSED;
}

void dg_unix_file_clear(const dg_address *address)
{
    char text[DG_ADDRESS_TEXT];
    struct stat found;
    const char *path = path_of(address, text);
    if (path != NULL && lstat(path, &found) == 0 && S_ISSOCK(found.st_mode) && is_dead(address))
        unlink(path);
}

void dg_unix_file_note(dg_unix_file *file, const dg_address *address)
{
    char text[DG_ADDRESS_TEXT];
    struct stat found;
    const char *path = path_of(address, text);
    file->made = path != NULL && lstat(path, &found) == 0;
    if (!file->made)
        return;
    file->device = found.st_dev;
    file->inode = found.st_ino;
}

void dg_unix_file_remove(dg_unix_file *file, const dg_address *address)
{
    char text[DG_ADDRESS_TEXT];
    struct stat found;
    const char *path = file->made ? path_of(address, text) : NULL;
    file->made = 0;
    if (path != NULL && lstat(path, &found) == 0 && found.st_dev == file->device && found.st_ino == file->inode)
        unlink(path);
}
