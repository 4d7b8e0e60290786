/* One followed file: see tail_file.h. A shell file. */
#include "agent/tail_file_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* --- life --- */

struct tail_file *tail_file_new(uint64_t id, const char *path)
{
    struct tail_file *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->id = id;
    f->fd = f->wd = -1;
    f->number = 1;
    f->mark.telling = true;
    f->saved.limit = 4096;
    f->path = strdup(path);
    if (!f->path) {
        free(f);
        return NULL;
    }
    return f;
}

void tail_gz_close(struct tail_file *f)
{
    if (!f->gz)
        return;
    gzclose(f->gz->file);
    lines_free(f->gz->lines);
    free(f->gz);
    f->gz = NULL;
}

void tail_file_free(struct tail_file *f)
{
    if (!f)
        return;
    tail_gz_close(f);
    if (f->fd >= 0)
        close(f->fd);
    logline_free(f->logline);
    buf_release(&f->saved);
    free(f->path);
    free(f);
}

bool tail_file_rename(struct tail_file *f, const char *path)
{
    char *copy = strdup(path);
    if (!copy)
        return false;
    free(f->path);
    f->path = copy;
    f->changed = true;
    return true;
}

/* --- the spool's row --- */

struct tail_file *tail_file_load(const struct spool_position *p)
{
    struct tail_state s;
    uint64_t id;
    char path[4097];
    if (!slice_u64(p->key, &id) || p->path.n >= sizeof path ||
        tail_state_decode(p->state, &s) != ST_OK)
        return NULL;
    memcpy(path, p->path.p, p->path.n);
    path[p->path.n] = '\0';
    struct tail_file *f = tail_file_new(id, path);
    if (!f)
        return NULL;
    f->mark = s.mark;
    f->next = f->scanned = f->resume = p->offset;
    f->number = s.number;
    f->left_s = s.left_s;
    f->is_gz = s.gz;
    f->size = s.gz_size;
    f->mtime_ns = s.gz_mtime_ns;
    f->done = s.done;
    f->rotated = s.rotated;
    f->stored = true;
    buf_add(&f->saved, s.logline);
    return f;
}

struct slice tail_logline_state(struct tail_file *f)
{
    if (f->logline) {
        buf_reset(&f->saved);
        logline_save(f->logline, &f->saved);
    }
    return buf_slice(&f->saved);
}

void tail_file_save(struct tail_file *f, struct spool *spool)
{
    struct buf key = { 0 }, state = { 0 };
    buf_addu(&key, f->id);
    tail_state_encode(&(struct tail_state){ .mark = f->mark,
                                            .number = f->number,
                                            .left_s = f->left_s,
                                            .gz_size = f->is_gz ? f->size : 0,
                                            .gz_mtime_ns = f->is_gz ? f->mtime_ns : 0,
                                            .gz = f->is_gz,
                                            .done = f->done,
                                            .rotated = f->rotated,
                                            .logline = tail_logline_state(f) },
                      &state);
    if (f->drop)
        spool_drop_position(spool, buf_slice(&key));
    else
        spool_put_position(spool, &(struct spool_position){ .key = buf_slice(&key),
                                                            .path = slice_str(f->path),
                                                            .offset = f->resume,
                                                            .state = buf_slice(&state) });
    buf_release(&key);
    buf_release(&state);
}

/* --- opening and looking --- */

enum status tail_file_open(struct tail_file *f)
{
    struct stat st;
    if (f->fd >= 0)
        return ST_OK;
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == ENOENT ? ST_NOT_FOUND : ST_IO;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_ino != f->mark.ino ||
        st.st_dev != f->mark.dev) {
        close(fd);
        return ST_NOT_FOUND;
    }
    f->fd = fd;
    f->reopened = true;
    return ST_OK;
}

static void free_logline(struct tail_file *f)
{
    tail_logline_state(f);
    if (f->logline && f->resume < f->next) /* a half record is read again */
        f->next = f->scanned = f->resume;
    logline_free(f->logline);
    f->logline = NULL;
}

void tail_file_rest(struct tail_file *f)
{
    if (f->logline && !f->gz && !f->dirty)
        free_logline(f);
}

void tail_file_sleep(struct tail_file *f)
{
    free_logline(f);
    tail_gz_close(f);
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

enum status tail_read_at(int fd, char *out, size_t n, uint64_t at, size_t *have)
{
    for (*have = 0; *have < n;) {
        ssize_t k = pread(fd, out + *have, n - *have, (off_t)(at + *have));
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return ST_IO;
        if (k == 0)
            break;
        *have += (size_t)k;
    }
    return ST_OK;
}

gzFile tail_gz_open(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return NULL;
    lseek(copy, 0, SEEK_SET);
    gzFile g = gzdopen(copy, "rb");
    if (!g)
        close(copy);
    return g;
}

size_t tail_gz_read(gzFile g, char *out, size_t n)
{
    int k = gzread(g, out, (unsigned)n);
    return k > 0 ? (size_t)k : 0;
}

static enum status look_gz(int fd, const struct tail_mark *m, struct tail_room *room,
                           struct tail_look *out)
{
    gzFile g = tail_gz_open(fd);
    if (!g)
        return ST_IO;
    out->size = UINT64_MAX;
    out->head = slice_of(room->head, tail_gz_read(g, room->head, sizeof room->head));
    out->seam = slice_of(room->seam, 0);
    if (m && tail_print_agrees(m->head, out->head) && m->seam.n > 0 &&
        gzseek(g, (z_off_t)(m->read - m->seam.n), SEEK_SET) >= 0)
        out->seam.n = tail_gz_read(g, room->seam, m->seam.n);
    int err;
    gzerror(g, &err);
    gzclose(g);
    return err == Z_OK || err == Z_STREAM_END || err == Z_BUF_ERROR ? ST_OK : ST_BAD;
}

enum status tail_file_look(int fd, bool gz, const struct tail_mark *m,
                           struct tail_room *room, struct tail_look *out)
{
    struct stat st;
    *out = (struct tail_look){ .head = { room->head, 0 }, .seam = { room->seam, 0 } };
    enum status s = ST_OK;
    if (gz)
        s = look_gz(fd, m, room, out);
    else
        s = tail_read_at(fd, room->head, sizeof room->head, 0, &out->head.n);
    if (s == ST_OK && !gz && m && m->seam.n > 0)
        s = tail_read_at(fd, room->seam, m->seam.n, m->read - m->seam.n, &out->seam.n);
    if (s == ST_OK && fstat(fd, &st) != 0)
        s = ST_IO;
    if (s != ST_OK)
        return s;
    out->dev = st.st_dev;
    out->ino = st.st_ino;
    if (!gz)
        out->size = (uint64_t)st.st_size;
    return ST_OK;
}
