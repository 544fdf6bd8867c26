/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* O_DIRECTORY, O_CLOEXEC, flock */
#include "unix_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "descriptor.h"

/* Milliseconds to wait for the folder's lock. A bind holds it for less than one; but any process that may read the
 * folder can hold it for ever. */
enum { PATIENCE = 250 };

enum { PERMISSIONS = 07777 };

/* Returns whether the address is a path; writes its text then. */
static int is_path(const dg_address *address, char text[DG_ADDRESS_TEXT])
{
    return dg_address_format(address, text) != 0 && text[0] != '\0';
}

/* Returns a copy of the path that holds after chdir(2), or NULL without memory. Where the current folder has no path
 * any more the copy is the path itself. */
static char *absolute(const char *path)
{
    char *folder = path[0] != '/' ? getcwd(NULL, 0) : NULL;
    if (folder == NULL)
        return path[0] != '/' && errno == ENOMEM ? NULL : strdup(path);
    size_t length = strlen(folder), more = strlen(path) + 1;
    char *whole = malloc(length + 1 + more);
    if (whole != NULL) {
        memcpy(whole, folder, length);
        whole[length] = '/';
        memcpy(whole + length + 1, path, more);
    }
    free(folder);
    return whole;
}

static int is_same(const dg_unix_file *file, const struct stat *found)
{
    return found->st_dev == file->device && found->st_ino == file->inode;
}

/* Returns 1 where connecting to the socket is refused, 0 where not, or a negative errno if there is no descriptor to
 * try it with. */
static int is_dead(const dg_address *address)
{
    int fd = dg_descriptor_open(AF_UNIX);
    if (fd < 0)
        return fd;
    int status = dg_descriptor_connect(fd, address);
    dg_descriptor_close(fd);
    return status == -ECONNREFUSED;
}

static int open_folder(const char *path)
{
    char folder[DG_ADDRESS_TEXT] = ".";
    const char *slash = strrchr(path, '/');
    if (slash != NULL) {
        size_t length = slash != path ? (size_t)(slash - path) : 1;
        memcpy(folder, path, length);
        folder[length] = '\0';
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -errno : -EADDRINUSE;
}

/* Locks the folder of a path, and returns a descriptor that holds the lock, or -EADDRINUSE. The lock is the kernel's,
 * so nothing is left of it when the process ends. */
static int lock_folder(const char *path)
{
    const struct timespec millisecond = {0, 1000000};
    int fd = open_folder(path), tries = 0;
    if (fd < 0)
        return fd;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || ++tries > PATIENCE) {
            close(fd);
            return -EADDRINUSE;
        }
        nanosleep(&millisecond, NULL);
    }
    return fd;
}

/* Unlocks the folder. Closing the descriptor would not be enough: a child that another thread forked meanwhile has it,
 * too. */
static void unlock_folder(int lock)
{
    flock(lock, LOCK_UN);
    close(lock);
}

/* Binds where a file is in the way, and removes the file if it is a socket that no process is bound to any more. Of
 * several processes that find the same file, only the holder of the lock removes it, and it binds before the next one
 * looks. So bind(2) has to fail once more under the lock: then no other process has just bound to the file. */
static int bind_over_dead(int fd, const dg_address *address, const char *path)
{
    struct stat found;
    int lock = lock_folder(path);
    if (lock < 0)
        return lock;
    int status = dg_descriptor_bind(fd, address);
    if (status == -EADDRINUSE && lstat(path, &found) == 0 && S_ISSOCK(found.st_mode)) {
        int dead = is_dead(address);
        if (dead < 0)
            status = dead;
        else if (dead && unlink(path) == 0)
            status = dg_descriptor_bind(fd, address);
    }
    unlock_folder(lock);
    return status;
}

static int bind_path(int fd, const dg_address *address, const char *path, int clears_dead)
{
    int status = dg_descriptor_bind(fd, address);
    return status == -EADDRINUSE && clears_dead ? bind_over_dead(fd, address, path) : status;
}

/* Remembers what bind(2) has made. */
static void note(dg_unix_file *file, const char *path, struct stat *found)
{
    if (lstat(path, found) != 0) { /* another process has removed it already */
        dg_unix_file_forget(file);
        return;
    }
    file->device = found->st_dev;
    file->inode = found->st_ino;
    file->maker = getpid();
}

/* chmod(2) follows links. So it is only used where the system has no call that does not, and after another look. */
static int change_mode(const dg_unix_file *file, const char *path, int mode)
{
    struct stat found;
    if (fchmodat(AT_FDCWD, path, (mode_t)mode, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != ENOTSUP && errno != EINVAL && errno != ENOSYS)
        return -errno;
    if (lstat(path, &found) != 0 || !is_same(file, &found))
        return -ENOENT;
    return chmod(path, (mode_t)mode) == 0 ? 0 : -errno;
}

static int bind_and_note(dg_unix_file *file, int fd, const dg_address *address, const char *path, int clears_dead,
                         struct stat *made)
{
    file->path = absolute(path);
    if (file->path == NULL)
        return -ENOMEM;
    int status = bind_path(fd, address, path, clears_dead);
    if (status == 0)
        note(file, path, made);
    else
        dg_unix_file_forget(file);
    return status;
}

/* bind(2) makes the file with the mode of the descriptor, less the umask, so the file is never more open than it shall
 * be. What the umask takes away is given back afterwards. A bound descriptor cannot be unbound: where this fails,
 * `spare` takes its place. */
static int bind_with_mode(dg_unix_file *file, int fd, int spare, const dg_address *address, const char *path,
                          const dg_unix_wishes *wishes)
{
    struct stat before, made;
    if (fstat(fd, &before) != 0 || fchmod(fd, (mode_t)wishes->mode) != 0)
        return -errno;
    int status = bind_and_note(file, fd, address, path, wishes->clears_dead, &made);
    if (status != 0) {
        fchmod(fd, before.st_mode & PERMISSIONS);
        return status;
    }
    if (file->path == NULL || (int)(made.st_mode & PERMISSIONS) == wishes->mode)
        return 0;
    status = change_mode(file, path, wishes->mode);
    if (status == 0)
        return 0;
    dg_unix_file_remove(file);
    dg_descriptor_replace(fd, spare);
    return status;
}

int dg_unix_file_bind(dg_unix_file *file, int fd, const dg_address *address, const dg_unix_wishes *wishes)
{
    char path[DG_ADDRESS_TEXT];
    struct stat made;
    if (!is_path(address, path))
        return dg_descriptor_bind(fd, address);
    dg_unix_file_forget(file);
    if (wishes->mode < 0)
        return bind_and_note(file, fd, address, path, wishes->clears_dead, &made);
    int spare = dg_descriptor_open(AF_UNIX);
    if (spare < 0)
        return spare;
    int status = bind_with_mode(file, fd, spare, address, path, wishes);
    dg_descriptor_close(spare);
    return status;
}

void dg_unix_file_remove(dg_unix_file *file)
{
    struct stat found;
    if (file->path != NULL && file->maker == getpid() && lstat(file->path, &found) == 0 && is_same(file, &found))
        unlink(file->path);
    dg_unix_file_forget(file);
}

void dg_unix_file_forget(dg_unix_file *file)
{
    free(file->path);
    file->path = NULL;
}
