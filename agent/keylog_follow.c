/* Key log files, followed: see keylog_follow.h. */
#include "agent/keylog_follow.h"

#include "agent/tail_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BLOCK = 16 << 10,
    BLOCKS = 16,          /* of one file in one turn */
    OLD_BYTES = 64 << 10, /* read of what stands there at the start */
    /* A file that lost its name is read this long after it grew: who writes it, and has
     * it open, does not know. */
    GRACE_MS = 600000,
};

struct file {
    struct file *next;
    dev_t dev;
    ino_t ino;
    int fd;
    off_t at;
    int64_t grew_ms;
    bool named, lost, open_to_all; /* lost: no name at the last look */
    struct keylog lines;
};

/* What was complained about, so that it is said once: by hash of the path and reason. */
enum { SAID = 64 };

struct keylog_follow {
    const struct yaml_strings *patterns, *exclude;
    size_t most;
    struct secrets *into;
    const struct log *log;
    struct file *files;
    size_t n;
    bool looked; /* the first scan is over */
    int64_t now_ms;
    uint64_t said[SAID];
    size_t said_n;
    struct keylog_follow_stats stats;
    char block[BLOCK];
};

struct keylog_follow *keylog_follow_new(const struct yaml_strings *patterns,
                                        const struct yaml_strings *exclude,
                                        size_t most_files, struct secrets *into,
                                        const struct log *log)
{
    struct keylog_follow *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->patterns = patterns;
    f->exclude = exclude;
    f->most = most_files;
    f->into = into;
    f->log = log;
    return f;
}

static void drop(struct keylog_follow *f, struct file **at)
{
    struct file *file = *at;
    *at = file->next;
    f->n--;
    keylog_finish(&file->lines);
    f->stats.secrets += file->lines.secrets;
    f->stats.bad_lines += file->lines.bad;
    close(file->fd);
    explicit_bzero(file, sizeof *file);
    free(file);
}

void keylog_follow_free(struct keylog_follow *f)
{
    if (!f)
        return;
    while (f->files)
        drop(f, &f->files);
    explicit_bzero(f->block, sizeof f->block);
    free(f);
}

/* --- names ----------------------------------------------------------------------------
 */

static bool first_time(struct keylog_follow *f, const char *path, uint64_t reason)
{
    uint64_t h = slice_hash(slice_str(path), reason) | 1;
    for (size_t i = 0; i < SAID; i++)
        if (f->said[i] == h)
            return false;
    f->said[f->said_n++ % SAID] = h;
    return true;
}

static struct file *find(const struct keylog_follow *f, const struct stat *st)
{
    for (struct file *file = f->files; file; file = file->next)
        if (file->dev == st->st_dev && file->ino == st->st_ino)
            return file;
    return NULL;
}

static bool open_to_all(const struct stat *st)
{
    return st->st_mode & (S_IROTH | S_IWOTH);
}

static void warn_open(struct keylog_follow *f, const char *path)
{
    if (first_time(f, path, 1))
        log_warn(f->log,
                 "key log %s: everybody on this host may read it, and with it the "
                 "traffic: chmod o= (docs/agent.md, Key logs)",
                 path);
}

static void begin(struct keylog_follow *f, const char *path, const struct stat *st)
{
    struct file *file = calloc(1, sizeof *file);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (!file || fd < 0) {
        f->stats.unreadable++;
        if (first_time(f, path, 0))
            log_warn(f->log,
                     "key log %s: %s: what it would open stays dark; let user %u read it",
                     path, strerror(errno), (unsigned)geteuid());
        free(file);
        if (fd >= 0)
            close(fd);
        return;
    }
    *file = (struct file){ .next = f->files,
                           .dev = st->st_dev,
                           .ino = st->st_ino,
                           .fd = fd,
                           .grew_ms = f->now_ms };
    keylog_init(&file->lines, f->into);
    if (!f->looked && st->st_size > OLD_BYTES) {
        file->at = st->st_size - OLD_BYTES;
        file->lines.overlong = true; /* in the middle of a line: to its end */
    }
    f->files = file;
    f->n++;
    log_info(f->log, "key log %s", path);
}

/* Make room by letting go the nameless file that grew longest ago. */
static bool drop_lost(struct keylog_follow *f)
{
    struct file **oldest = NULL;
    for (struct file **at = &f->files; *at; at = &(*at)->next)
        if ((*at)->lost && !(*at)->named &&
            (!oldest || (*at)->grew_ms < (*oldest)->grew_ms))
            oldest = at;
    if (oldest)
        drop(f, oldest);
    return oldest;
}

static void on_file(void *arg, const char *path, const struct stat *st, bool sibling)
{
    struct keylog_follow *f = arg;
    struct file *file = find(f, st);
    if (sibling && !file)
        return; /* rotated before we came; else it may still be written to */
    if (!file && f->n >= f->most && !drop_lost(f)) {
        f->stats.over_limit++;
        if (first_time(f, "", 2))
            log_warn(f->log, "key log %s: over limits.keylog_files, left out", path);
        return;
    }
    if (!file)
        begin(f, path, st);
    file = find(f, st);
    if (!file)
        return;
    file->named = true;
    file->open_to_all = open_to_all(st);
    if (file->open_to_all)
        warn_open(f, path);
}

/* --- bytes ----------------------------------------------------------------------------
 */

static void read_file(struct keylog_follow *f, struct file *file)
{
    struct stat st;
    if (fstat(file->fd, &st) != 0 || st.st_size == file->at)
        return;
    if (st.st_size < file->at) { /* truncated: what stands there now is new */
        keylog_finish(&file->lines);
        file->at = 0;
    }
    file->grew_ms = f->now_ms;
    for (int i = 0; i < BLOCKS && file->at < st.st_size; i++) {
        ssize_t n = pread(file->fd, f->block, sizeof f->block, file->at);
        if (n <= 0)
            break;
        file->at += n;
        keylog_feed(&file->lines, slice_of(f->block, (size_t)n));
    }
    explicit_bzero(f->block, sizeof f->block);
}

void keylog_follow_scan(struct keylog_follow *f, int64_t now_ms)
{
    const struct tail_walk on = { .arg = f, .file = on_file };
    f->now_ms = now_ms;
    f->stats.unreadable = f->stats.over_limit = 0;
    for (struct file *file = f->files; file; file = file->next)
        file->named = false;
    for (size_t i = 0; i < f->patterns->n; i++)
        tail_walk(f->patterns->at[i], f->exclude, &on);
    f->looked = true;
    for (struct file **at = &f->files; *at;) {
        (*at)->lost = !(*at)->named;
        if ((*at)->lost)
            read_file(f, *at); /* the last words */
        if ((*at)->lost && now_ms - (*at)->grew_ms > GRACE_MS)
            drop(f, at);
        else
            at = &(*at)->next;
    }
}

void keylog_follow_read(struct keylog_follow *f, int64_t now_ms)
{
    f->now_ms = now_ms;
    for (struct file *file = f->files; file; file = file->next)
        read_file(f, file);
}

struct keylog_follow_stats keylog_follow_stats(const struct keylog_follow *f)
{
    struct keylog_follow_stats s = f->stats;
    for (const struct file *file = f->files; file; file = file->next) {
        s.files++;
        s.open_to_all += file->open_to_all;
        s.secrets += file->lines.secrets;
        s.bad_lines += file->lines.bad;
    }
    return s;
}
