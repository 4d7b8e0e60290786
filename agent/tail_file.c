/* One followed file: see tail_file.h. A shell file. */
#include "agent/tail_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

enum { SNIFF_MAX = LINES_BLOCK / 4 };

/* A gz that is being read keeps its own lines: going back would inflate from the start.
 */
struct tail_gz {
    gzFile file;
    struct lines *lines;
    uint64_t at; /* bytes inflated */
};

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

static void close_gz(struct tail_file *f)
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
    close_gz(f);
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

/* The format's state as bytes: fresh from the awake object, else what was saved. */
static struct slice logline_state(struct tail_file *f)
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
                                            .logline = logline_state(f) },
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
    logline_state(f);
    logline_free(f->logline);
    f->logline = NULL;
}

void tail_file_rest(struct tail_file *f)
{
    if (f->logline && !f->gz && !f->dirty && f->resume == f->next)
        free_logline(f);
}

void tail_file_sleep(struct tail_file *f)
{
    free_logline(f);
    close_gz(f);
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

/* pread until n bytes or the end; how many came in *have. */
static enum status read_at(int fd, char *out, size_t n, uint64_t at, size_t *have)
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

static gzFile open_gz(int fd)
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

static size_t inflate_some(gzFile g, char *out, size_t n)
{
    int k = gzread(g, out, (unsigned)n);
    return k > 0 ? (size_t)k : 0;
}

static enum status look_gz(int fd, const struct tail_mark *m, struct tail_room *room,
                           struct tail_look *out)
{
    gzFile g = open_gz(fd);
    if (!g)
        return ST_IO;
    out->size = UINT64_MAX;
    out->head = slice_of(room->head, inflate_some(g, room->head, sizeof room->head));
    out->seam = slice_of(room->seam, 0);
    if (m && tail_print_agrees(m->head, out->head) && m->seam.n > 0 &&
        gzseek(g, (z_off_t)(m->read - m->seam.n), SEEK_SET) >= 0)
        out->seam.n = inflate_some(g, room->seam, m->seam.n);
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
        s = read_at(fd, room->head, sizeof room->head, 0, &out->head.n);
    if (s == ST_OK && !gz && m && m->seam.n > 0)
        s = read_at(fd, room->seam, m->seam.n, m->read - m->seam.n, &out->seam.n);
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

/*
 * Still the content that was followed, and at least `upto` bytes of it? IDLE when so (and
 * the head may have grown), TRUNCATED when not, FAILED when it cannot be read.
 */
static enum tail_turn verify(struct tail_file *f, uint64_t upto)
{
    struct tail_room room;
    struct tail_look look;
    if (tail_file_look(f->fd, false, &f->mark, &room, &look) != ST_OK)
        return TAIL_TURN_FAILED;
    enum tail_verdict v = tail_judge(&f->mark, &look);
    if ((v != TAIL_SAME && v != TAIL_GROWN) || look.size < upto)
        return TAIL_TURN_TRUNCATED;
    tail_grow_head(&f->mark, look.head);
    f->size = look.size;
    f->reopened = f->moved = false;
    return TAIL_TURN_IDLE;
}

/* Move the mark to `next`, where the lines that were fed end. */
static void move_mark(struct tail_file *f, bool cut)
{
    char seam[TAIL_SEAM_MAX];
    size_t n = f->next < sizeof seam ? (size_t)f->next : sizeof seam, have;
    if (f->next == f->mark.read)
        return;
    f->mark.read = f->next;
    f->mark.seam = (struct tail_print){ 0 };
    if (cut) /* the bytes are gone; a copy may have them */
        return;
    if (read_at(f->fd, seam, n, f->next - n, &have) == ST_OK && have == n)
        f->mark.seam = tail_print_of(slice_of(seam, n));
    /* Cut in between: those bytes may be foreign, so let only the head speak. */
    if (verify(f, f->next) != TAIL_TURN_IDLE)
        f->mark.seam = (struct tail_print){ 0 };
}

/* --- feeding --- */

static void on_line(void *arg, const struct line *line)
{
    struct tail_reader *r = arg;
    logline_feed_line(r->at, line, r->env->emit, r->env->emit_arg);
}

static struct logline *wake(struct tail_file *f, struct tail_reader *r)
{
    static const struct config_logs none = { .app = "",
                                             .environment = "",
                                             .provider = "" };
    const struct config_logs *c = f->logs ? f->logs : &none;
    if (f->logline)
        return f->logline;
    f->logline =
        logline_new(r->env->extract,
                    &(struct logline_options){ .format = c->logformat,
                                               .rule = c->rule,
                                               .provider = slice_str(c->provider),
                                               .app = slice_str(c->app),
                                               .environment = slice_str(c->environment),
                                               .mtime_ns = f->mtime_ns });
    if (f->logline && f->saved.n > 0)
        logline_load(f->logline, buf_slice(&f->saved));
    return f->logline;
}

/* Add what the format counted since `before`. */
static void count_lines(struct tail_reader *r, const struct logline_stats *before,
                        const struct logline *l)
{
    const struct logline_stats *now = logline_stats(l);
    r->count->candidates += now->lines - before->lines;
    r->count->records += now->records - before->records;
    r->count->not_json += now->not_json - before->not_json;
    r->count->no_record += now->no_record - before->no_record;
    r->count->too_long += now->too_long - before->too_long;
    r->count->torn += now->torn - before->torn;
    r->count->time_guessed += now->time_guessed - before->time_guessed;
    r->count->points_dropped += now->points_dropped - before->points_dropped;
}

/* What `l` went through since `before`, on top of the counts. */
static void count_bytes(struct tail_reader *r, const struct lines_stats *before,
                        const struct lines *l)
{
    r->count->lines += lines_stats(l)->lines - before->lines;
    r->count->too_long += lines_stats(l)->too_long - before->too_long;
}

/*
 * Look at the first bytes before anything is fed. False: not now (too little stands
 * there), or never (f->done).
 */
static bool sniff(struct tail_file *f, struct tail_reader *r, struct slice start)
{
    const char *reason = NULL;
    if (start.n < SNIFF_MAX && slice_chr(start, '\n') == SIZE_MAX)
        return false;
    f->mark.telling = tail_telling(start);
    logline_sniff(f->logline, start, &reason);
    if (reason) {
        log_warn(r->env->log, "%s: left out: %s", f->path, reason);
        f->done = f->changed = true;
    }
    return !reason;
}

/* A writer that does not append leaves a hole of NULs after a truncation: its end. */
static uint64_t hole_end(int fd)
{
    char block[4096];
    size_t n, k;
    off_t data = lseek(fd, 0, SEEK_DATA);
    uint64_t at = data > 0 ? (uint64_t)data : 0;
    do {
        if (read_at(fd, block, sizeof block, at, &n) != ST_OK)
            return at;
        for (k = 0; k < n && block[k] == '\0'; k++)
            ;
        at += k;
    } while (n > 0 && k == n);
    return at;
}

/* Ready to be fed from f->next: awake and known to be text. */
static bool prepare(struct tail_file *f, struct tail_reader *r)
{
    size_t room, n;
    if (!r->lines)
        r->lines = lines_new();
    if (!r->lines || !wake(f, r))
        return false;
    if (f->saved.n > 0)
        return true;
    uint64_t start = hole_end(f->fd);
    lines_begin(r->lines, LINES_ALL, 0, 1);
    char *p = lines_room(r->lines, &room);
    if (read_at(f->fd, p, room < SNIFF_MAX ? room : SNIFF_MAX, start, &n) != ST_OK ||
        !sniff(f, r, slice_of(p, n)))
        return false;
    if (f->next < start)
        f->next = f->scanned = start;
    logline_state(f); /* not empty from now on */
    return true;
}

/* Is there a newline beyond f->scanned? A half line is read again once it is whole. */
static bool line_ended(struct tail_file *f, struct lines *l)
{
    size_t room;
    lines_begin(l, LINES_ALL, 0, 1);
    char *p = lines_room(l, &room);
    for (;;) {
        size_t n;
        if (read_at(f->fd, p, room, f->scanned, &n) != ST_OK || n == 0)
            return false;
        if (memchr(p, '\n', n))
            return true;
        f->scanned += n;
    }
}

/* Feed from f->next on; leaves f at the start of the first line that did not end. */
static enum tail_turn feed(struct tail_file *f, struct tail_reader *r, uint64_t budget)
{
    enum tail_turn end = TAIL_TURN_IDLE;
    uint64_t at = f->next, from = f->next;
    lines_begin(r->lines, logline_need(f->logline), f->next, f->number);
    for (;;) {
        size_t room;
        char *p = lines_room(r->lines, &room);
        ssize_t n = pread(f->fd, p, room, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            end = TAIL_TURN_FAILED;
        else
            end = verify(f, at + (uint64_t)n);
        if (n <= 0 || end != TAIL_TURN_IDLE)
            break;
        lines_take(r->lines, (size_t)n, on_line, r);
        at += (uint64_t)n;
        if (at - from >= budget && lines_offset(r->lines) > from) {
            end = at < f->size ? TAIL_TURN_MORE : TAIL_TURN_IDLE;
            break;
        }
    }
    f->next = lines_offset(r->lines);
    f->number = lines_number(r->lines);
    f->scanned = end == TAIL_TURN_TRUNCATED ? f->next : at;
    return end;
}

static enum tail_turn turn_plain(struct tail_file *f, struct tail_reader *r,
                                 uint64_t budget)
{
    enum tail_turn end = verify(f, 0);
    if (end != TAIL_TURN_IDLE)
        return end;
    if (f->size <= f->next || !prepare(f, r))
        return TAIL_TURN_IDLE;
    if (f->scanned > f->next && !line_ended(f, r->lines))
        return TAIL_TURN_IDLE;
    struct logline_stats before = *logline_stats(f->logline);
    struct lines_stats lines_before = *lines_stats(r->lines);
    uint64_t from = f->next;
    r->at = f->logline;
    end = feed(f, r, budget);
    count_lines(r, &before, f->logline);
    count_bytes(r, &lines_before, r->lines);
    r->count->bytes += f->next - from;
    move_mark(f, end == TAIL_TURN_TRUNCATED);
    f->changed |= f->next != from;
    f->resume = logline_resume(f->logline, f->next);
    return end;
}

/* --- gz --- */

/* MORE: f->gz stands at f->next. */
static enum tail_turn begin_gz(struct tail_file *f, struct tail_reader *r)
{
    struct tail_gz *gz = calloc(1, sizeof *gz);
    if (!gz)
        return TAIL_TURN_FAILED;
    f->gz = gz;
    gz->lines = lines_new();
    gz->file = open_gz(f->fd);
    if (!gz->lines || !gz->file || !wake(f, r))
        return TAIL_TURN_FAILED;
    size_t room;
    lines_begin(gz->lines, LINES_ALL, 0, 1);
    char *p = lines_room(gz->lines, &room);
    size_t n = inflate_some(gz->file, p, SNIFF_MAX);
    if (!tail_print_agrees(f->mark.head, slice_of(p, n)))
        return TAIL_TURN_TRUNCATED;
    tail_grow_head(&f->mark, slice_of(p, n));
    if (f->saved.n == 0 && !sniff(f, r, slice_of(p, n)) && f->done)
        return TAIL_TURN_IDLE;
    if (gzseek(gz->file, (z_off_t)f->next, SEEK_SET) < 0)
        return TAIL_TURN_FAILED;
    gz->at = f->next;
    lines_begin(gz->lines, logline_need(f->logline), f->next, f->number);
    return TAIL_TURN_MORE;
}

static enum tail_turn turn_gz(struct tail_file *f, struct tail_reader *r, uint64_t budget)
{
    enum tail_turn end = f->gz ? TAIL_TURN_MORE : begin_gz(f, r);
    if (end != TAIL_TURN_MORE) {
        close_gz(f);
        return end;
    }
    struct logline_stats before = *logline_stats(f->logline);
    struct lines_stats lines_before = *lines_stats(f->gz->lines);
    uint64_t from = f->next, until = f->gz->at + budget;
    int err = Z_OK;
    r->at = f->logline;
    while (end == TAIL_TURN_MORE && f->gz->at < until) {
        size_t room;
        char *p = lines_room(f->gz->lines, &room);
        size_t n = inflate_some(f->gz->file, p, room);
        f->gz->at += n;
        lines_take(f->gz->lines, n, on_line, r);
        if (n == 0) {
            gzerror(f->gz->file, &err);
            end = err == Z_OK || err == Z_STREAM_END ? TAIL_TURN_IDLE : TAIL_TURN_FAILED;
        }
    }
    if (end == TAIL_TURN_IDLE) {
        lines_finish(f->gz->lines, on_line, r);
        logline_finish(f->logline, r->env->emit, r->env->emit_arg);
        f->done = true;
    }
    f->next = f->scanned = f->done ? f->gz->at : lines_offset(f->gz->lines);
    f->number = lines_number(f->gz->lines);
    f->mark.read = f->next;
    f->mark.seam = (struct tail_print){ 0 };
    f->resume = f->done ? f->next : logline_resume(f->logline, f->next);
    f->changed = true;
    count_lines(r, &before, f->logline);
    count_bytes(r, &lines_before, f->gz->lines);
    r->count->bytes += f->next - from;
    if (end != TAIL_TURN_MORE)
        close_gz(f);
    return end;
}

/* --- turns --- */

enum tail_turn tail_file_turn(struct tail_file *f, struct tail_reader *r, uint64_t budget)
{
    if (f->done && f->is_gz)
        return TAIL_TURN_IDLE;
    enum status st = tail_file_open(f);
    if (st != ST_OK)
        return st == ST_NOT_FOUND ? TAIL_TURN_LOST : TAIL_TURN_FAILED;
    if (f->done) /* left out; but is it still that file? */
        return verify(f, 0);
    return f->is_gz ? turn_gz(f, r, budget) : turn_plain(f, r, budget);
}

void tail_file_finish(struct tail_file *f, struct tail_reader *r)
{
    if (f->done || f->is_gz || f->fd < 0 || verify(f, 0) != TAIL_TURN_IDLE || !wake(f, r))
        return;
    if (!r->lines)
        r->lines = lines_new();
    if (!r->lines)
        return;
    struct logline_stats before = *logline_stats(f->logline);
    struct lines_stats lines_before = *lines_stats(r->lines);
    r->at = f->logline;
    if (feed(f, r, UINT64_MAX) == TAIL_TURN_IDLE) {
        lines_finish(r->lines, on_line, r);
        logline_finish(f->logline, r->env->emit, r->env->emit_arg);
        r->count->bytes += f->scanned - f->next;
        f->next = f->scanned;
        move_mark(f, false);
        f->resume = f->next;
        f->changed = true;
    }
    count_lines(r, &before, f->logline);
    count_bytes(r, &lines_before, r->lines);
}

void tail_file_skip(struct tail_file *f)
{
    if (verify(f, 0) != TAIL_TURN_IDLE)
        return;
    f->next = f->scanned = f->resume = f->size;
    move_mark(f, false);
    f->changed = true;
}

void tail_file_restart(struct tail_file *f)
{
    uint64_t dev = f->mark.dev, ino = f->mark.ino;
    f->mark = (struct tail_mark){ .dev = dev, .ino = ino, .telling = true };
    f->next = f->scanned = f->resume = 0;
    f->number = 1;
    f->done = false;
    f->rotated = f->sibling;
    logline_free(f->logline);
    f->logline = NULL;
    buf_reset(&f->saved);
    f->dirty = f->changed = true;
}
