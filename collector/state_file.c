/* Files changed by atomic rename: see state_file.h. */
#include "collector/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

enum { FILE_MAX = 16 << 20 };

static enum status fail(struct buf *why, const char *path)
{
    buf_addf(why, "%s: %s", path, strerror(errno));
    return errno == ENOSPC || errno == EDQUOT  ? ST_FULL
           : errno == EACCES || errno == EPERM ? ST_DENIED
                                               : ST_IO;
}

static enum status read_all(int fd, struct buf *out)
{
    out->limit = FILE_MAX;
    for (;;) {
        char *p = buf_room(out, 4096);
        ssize_t n = p ? read(fd, p, 4096) : -1;
        if (n < 0 && p && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? ST_IO : ST_OK;
        out->n += (size_t)n;
    }
}

enum status state_file_read(const char *dir, const char *name, struct buf *text,
                            struct stat *st, struct buf *why)
{
    char path[4096];
    struct stat seen = { 0 };
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (st)
        *st = seen;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ST_OK : fail(why, path);
    enum status ok = fstat(fd, &seen) == 0 ? read_all(fd, text) : ST_IO;
    if (ok != ST_OK)
        fail(why, path);
    if (st)
        *st = seen;
    close(fd);
    return ok;
}

enum status state_file_write(const char *dir, const char *name, struct slice text,
                             struct buf *why)
{
    char path[4096], fresh[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    snprintf(fresh, sizeof fresh, "%s/%s.new", dir, name);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n && fsync(fd) == 0;
    if (fd >= 0)
        ok = close(fd) == 0 && ok;
    ok = ok && rename(fresh, path) == 0;
    enum status st = ok ? ST_OK : fail(why, path);
    int folder = ok ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (folder >= 0) {
        fsync(folder);
        close(folder);
    }
    return st;
}

int state_file_lock(const char *dir, const char *name, struct buf *why)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.lock", dir, name);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        fail(why, dir);
        return -1;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX) == 0)
        return fd;
    fail(why, path);
    if (fd >= 0)
        close(fd);
    return -1;
}
