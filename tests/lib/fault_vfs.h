/*
 * A shim over SQLite's default VFS that counts what changes a file (write, truncate,
 * sync, delete) and does something bad at the n-th: kill the process (before the
 * operation, or in the middle of a write), or let it and the following `times` - 1 fail.
 * With `shadow` every sync copies the file to NAME.synced, so that a test can put back
 * what a power loss would leave. For one connection and one thread.
 */
#ifndef BREAKEVEN_TESTS_FAULT_VFS_H
#define BREAKEVEN_TESTS_FAULT_VFS_H

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fault {
    unsigned long at; /* 1 = the first operation; 0 = never */
    unsigned long times;
    int error; /* an SQLite code; 0: SIGKILL */
    bool torn; /* a killed write puts half of its bytes down first */
    bool shadow;
    unsigned long seen; /* operations so far */
    sqlite3_vfs vfs, *real;
};

struct fault_file {
    sqlite3_file base;
    struct fault *fault;
    const char *name;
    sqlite3_file *real;
};

static inline struct fault_file *fault_file(sqlite3_file *f)
{
    return (struct fault_file *)f;
}

/* The code to fail with, or SQLITE_OK. */
static inline int fault_strike(struct fault *fault, struct fault_file *f, const void *p,
                               int n, sqlite3_int64 at)
{
    fault->seen++;
    if (!fault->at || fault->seen < fault->at || fault->seen >= fault->at + fault->times)
        return SQLITE_OK;
    if (fault->error)
        return fault->error;
    if (fault->torn && p)
        f->real->pMethods->xWrite(f->real, p, n / 2, at);
    kill(getpid(), SIGKILL);
    return SQLITE_IOERR;
}

static inline void fault_copy(const char *from, const char *to)
{
    char block[65536];
    ssize_t n;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    while (in >= 0 && out >= 0 && (n = read(in, block, sizeof block)) > 0)
        if (write(out, block, (size_t)n) != n)
            abort();
    close(in);
    close(out);
}

static inline int fault_close(sqlite3_file *f)
{
    return fault_file(f)->real->pMethods->xClose(fault_file(f)->real);
}

static inline int fault_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return fault_file(f)->real->pMethods->xRead(fault_file(f)->real, p, n, at);
}

static inline int fault_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    int rc = fault_strike(fault_file(f)->fault, fault_file(f), p, n, at);
    return rc ? rc : fault_file(f)->real->pMethods->xWrite(fault_file(f)->real, p, n, at);
}

static inline int fault_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    int rc = fault_strike(fault_file(f)->fault, fault_file(f), NULL, 0, 0);
    return rc ? rc : fault_file(f)->real->pMethods->xTruncate(fault_file(f)->real, size);
}

static inline int fault_sync(sqlite3_file *f, int flags)
{
    struct fault_file *file = fault_file(f);
    int rc = fault_strike(file->fault, file, NULL, 0, 0);
    if (rc)
        return rc;
    if (file->fault->shadow && file->name) {
        char to[512];
        snprintf(to, sizeof to, "%s.synced", file->name);
        fault_copy(file->name, to);
    }
    return file->real->pMethods->xSync(file->real, flags);
}

static inline int fault_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return fault_file(f)->real->pMethods->xFileSize(fault_file(f)->real, size);
}

static inline int fault_lock(sqlite3_file *f, int level)
{
    return fault_file(f)->real->pMethods->xLock(fault_file(f)->real, level);
}

static inline int fault_unlock(sqlite3_file *f, int level)
{
    return fault_file(f)->real->pMethods->xUnlock(fault_file(f)->real, level);
}

static inline int fault_reserved(sqlite3_file *f, int *out)
{
    return fault_file(f)->real->pMethods->xCheckReservedLock(fault_file(f)->real, out);
}

static inline int fault_control(sqlite3_file *f, int op, void *arg)
{
    return fault_file(f)->real->pMethods->xFileControl(fault_file(f)->real, op, arg);
}

static inline int fault_sector(sqlite3_file *f)
{
    return fault_file(f)->real->pMethods->xSectorSize(fault_file(f)->real);
}

static inline int fault_character(sqlite3_file *f)
{
    return fault_file(f)->real->pMethods->xDeviceCharacteristics(fault_file(f)->real);
}

static const sqlite3_io_methods fault_methods = {
    .iVersion = 1, /* no shared memory: exclusive mode does without */
    .xClose = fault_close,
    .xRead = fault_read,
    .xWrite = fault_write,
    .xTruncate = fault_truncate,
    .xSync = fault_sync,
    .xFileSize = fault_size,
    .xLock = fault_lock,
    .xUnlock = fault_unlock,
    .xCheckReservedLock = fault_reserved,
    .xFileControl = fault_control,
    .xSectorSize = fault_sector,
    .xDeviceCharacteristics = fault_character,
};

static inline int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f,
                             int flags, int *out_flags)
{
    struct fault *fault = vfs->pAppData;
    struct fault_file *file = fault_file(f);
    *file = (struct fault_file){ .fault = fault,
                                 .name = name,
                                 .real = (sqlite3_file *)(file + 1) };
    int rc = fault->real->xOpen(fault->real, name, file->real, flags, out_flags);
    file->base.pMethods = file->real->pMethods ? &fault_methods : NULL;
    return rc;
}

static inline int fault_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
    struct fault *fault = vfs->pAppData;
    int rc = fault_strike(fault, NULL, NULL, 0, 0);
    if (rc)
        return rc;
    if (fault->shadow) {
        char gone[512];
        snprintf(gone, sizeof gone, "%s.synced", name);
        unlink(gone);
    }
    return fault->real->xDelete(fault->real, name, sync_dir);
}

/* Make `fault` the default VFS until fault_end. */
static inline void fault_begin(struct fault *fault)
{
    fault->real = sqlite3_vfs_find(NULL);
    fault->vfs = *fault->real;
    fault->vfs.zName = "fault";
    fault->vfs.pNext = NULL;
    fault->vfs.pAppData = fault;
    fault->vfs.szOsFile = (int)sizeof(struct fault_file) + fault->real->szOsFile;
    fault->vfs.xOpen = fault_open;
    fault->vfs.xDelete = fault_delete;
    sqlite3_vfs_register(&fault->vfs, 1);
}

static inline void fault_end(struct fault *fault)
{
    sqlite3_vfs_unregister(&fault->vfs);
    sqlite3_vfs_register(fault->real, 1);
}

#endif
