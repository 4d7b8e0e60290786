/* A key log file read whole: the part of keylog.h that touches the system. */
#include "agent/keylog.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static enum status status_of(int error)
{
    return error == ENOENT                     ? ST_NOT_FOUND
           : error == EACCES || error == EPERM ? ST_DENIED
                                               : ST_IO;
}

enum status keylog_load(struct keylog *k, const char *path)
{
    char block[4096];
    ssize_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return status_of(errno);
    do {
        n = read(fd, block, sizeof block);
        if (n > 0)
            keylog_feed(k, slice_of(block, (size_t)n));
    } while (n > 0 || (n < 0 && errno == EINTR));
    int error = errno;
    keylog_finish(k);
    explicit_bzero(block, sizeof block);
    close(fd);
    errno = error;
    return n < 0 ? status_of(error) : ST_OK;
}
