/* A turn of reading one followed file: see tail_file.h. A shell file. */
#include "agent/tail_file_private.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { SNIFF_MAX = LINES_BLOCK / 4 };

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
    if (tail_read_at(f->fd, seam, n, f->next - n, &have) == ST_OK && have == n)
        f->mark.seam = tail_print_of(slice_of(seam, n));
    /* Cut in between: those bytes may be foreign, so let only the head speak. */
    if (verify(f, f->next) != TAIL_TURN_IDLE)
        f->mark.seam = (struct tail_print){ 0 };
}

/* --- feeding --- */

static bool on_line(void *arg, const struct line *line)
{
    struct tail_reader *r = arg;
    return logline_feed_line(r->at, line, r->env->emit, r->env->emit_arg);
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
    if (f->logline && f->saved.n > 0 &&
        logline_load(f->logline, buf_slice(&f->saved)) != ST_OK)
        buf_reset(&f->saved); /* of another version: look at the file anew */
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
        if (tail_read_at(fd, block, sizeof block, at, &n) != ST_OK)
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
    if (tail_read_at(f->fd, p, room < SNIFF_MAX ? room : SNIFF_MAX, start, &n) != ST_OK ||
        !sniff(f, r, slice_of(p, n)))
        return false;
    if (f->next < start)
        f->next = f->scanned = start;
    tail_logline_state(f); /* not empty from now on */
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
        if (tail_read_at(f->fd, p, room, f->scanned, &n) != ST_OK || n == 0)
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
    gz->file = tail_gz_open(f->fd);
    if (!gz->lines || !gz->file || !wake(f, r))
        return TAIL_TURN_FAILED;
    size_t room;
    lines_begin(gz->lines, LINES_ALL, 0, 1);
    char *p = lines_room(gz->lines, &room);
    size_t n = tail_gz_read(gz->file, p, SNIFF_MAX);
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
        tail_gz_close(f);
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
        size_t n = tail_gz_read(f->gz->file, p, room);
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
        tail_gz_close(f);
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
