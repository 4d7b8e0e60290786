/*
 * Following files: see source_tail.h. A shell file.
 *
 * What rotation looks like from here:
 *  1. rename + create      the inode is met under another name; the name under another
 * inode
 *  2. copytruncate         a new inode with known content, then a known inode with new
 * content
 *  3. delete               the inode is not met any more; the descriptor still reads
 *  4. gzip of the old one  3, and a .gz whose content is known
 *  5. inode reuse          a known inode with new content, as in 2
 *  6. symlink swap         3 and a new file, though nobody deleted anything
 * So a scan collects what it meets, then sees who is missing, then judges the newcomers.
 */
#include "agent/source_tail.h"

#include "agent/glob.h"
#include "agent/tail_set.h"
#include "agent/tail_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

enum {
    SETTLE_MS = 100,      /* between two looks at events: a burst costs one */
    POLL_MS = 1000,       /* between two scans without inotify */
    GZ_STABLE_MS = 2000,  /* a .gz this long unchanged is complete */
    STEP_BYTES = 8 << 20, /* then the pipeline may commit */
    SCAN_SHARE = 20,      /* scans take at most 1/20 of the time */
    FOLDER_EVENTS = IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF |
                    IN_MOVE_SELF | IN_ONLYDIR,
};

/* One pattern of the config. */
struct pattern {
    const struct config_logs *logs;
    const char *text;
    int64_t since_ms; /* Unix; the first scan ever: what stood there then is history */
    bool first;       /* this run does that scan */
};

/* A file met for the first time in this scan. */
struct newcomer {
    char *path;
    const struct pattern *pattern;
    bool sibling;
};

struct tail {
    struct source base;
    const struct config *c;
    struct source_env env;
    struct tail_set set;
    struct tail_reader reader;
    struct source_health count;
    struct pattern *pattern;
    size_t patterns;
    struct newcomer *newcomer;
    size_t newcomers, newcomers_cap;
    const struct pattern *walking;
    struct source_time now;
    int inotify;
    bool polling;     /* inotify does not see everything */
    bool since_saved; /* `since` of every pattern is in the spool */
    bool scan_wanted, settling, full_said;
    bool fresh_gz; /* the last scan met one that may still be written */
    int64_t open_files;
    uint64_t denied; /* of the last scan */
    unsigned scan;
    int64_t scan_due_ms, scan_ok_ms, care_due_ms;
    size_t cursor;
};

static struct tail *tail_of(const struct source *s)
{
    return (struct tail *)(uintptr_t)s;
}

/* --- watching -------------------------------------------------------------------------
 */

static void lose_inotify(struct tail *t, const char *path)
{
    if (!t->polling)
        log_warn(t->env.log, "%s: no inotify watch (%s): looking every %d ms instead",
                 path, strerror(errno), POLL_MS);
    t->polling = true;
}

static void watch_folder(void *arg, const char *path)
{
    struct tail *t = arg;
    if (t->inotify >= 0 && inotify_add_watch(t->inotify, path, FOLDER_EVENTS) < 0 &&
        errno != ENOENT && errno != ENOTDIR && errno != EACCES)
        lose_inotify(t, path);
}

/* By the descriptor: a path may mean another file by now. */
static void watch_file(struct tail *t, struct tail_file *f)
{
    char path[64];
    if (t->inotify < 0 || f->wd >= 0 || f->fd < 0)
        return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", f->fd);
    int wd = inotify_add_watch(t->inotify, path, IN_MODIFY);
    if (wd < 0)
        lose_inotify(t, f->path);
    else
        tail_set_watch(&t->set, f, wd);
}

static void unwatch(struct tail *t, struct tail_file *f)
{
    if (f->wd >= 0)
        inotify_rm_watch(t->inotify, f->wd);
    tail_set_watch(&t->set, f, -1);
}

static void on_event(struct tail *t, const struct inotify_event *e)
{
    struct tail_file *f = e->wd >= 0 ? tail_set_by_wd(&t->set, e->wd) : NULL;
    if (e->mask & IN_Q_OVERFLOW) {
        for (size_t i = 0; i < t->set.n; i++)
            t->set.at[i]->dirty |= t->set.at[i]->mark.fate == TAIL_HERE;
        t->scan_wanted = true;
    } else if (f && e->mask & IN_IGNORED) {
        tail_set_watch(&t->set, f, -1);
    } else if (f) {
        f->dirty = true;
    } else if (!(e->mask & IN_IGNORED)) {
        t->scan_wanted = true;
    }
}

static void drain_events(struct tail *t)
{
    _Alignas(struct inotify_event) char block[4096];
    bool any = false;
    for (;;) {
        ssize_t n = t->inotify < 0 ? 0 : read(t->inotify, block, sizeof block);
        if (n <= 0)
            break;
        any = true;
        for (ssize_t at = 0; at < n;) {
            struct inotify_event e;
            memcpy(&e, block + at, sizeof e);
            on_event(t, &e);
            at += (ssize_t)(sizeof e + e.len);
        }
    }
    t->settling = any;
}

/* --- going away -----------------------------------------------------------------------
 */

/* Nothing will be read from f's inode any more; a copy or .gz may go on with it. */
static void gone(struct tail *t, struct tail_file *f)
{
    if (f->fd >= 0 || f->logline)
        tail_file_sleep(f);
    unwatch(t, f);
    tail_set_leave(&t->set, f);
    f->mark.fate = TAIL_GONE;
    f->dirty = false;
    f->changed = true;
    f->drop = f->done || f->mark.read == 0;
    if (f->left_s == 0)
        f->left_s = t->now.unix_ms / 1000;
    if (f->size > f->next && !f->is_gz)
        t->count.unread_gone += f->size - f->next;
    log_debug(t->env.log, "%s: gone, read to %llu", f->path,
              (unsigned long long)f->mark.read);
}

/*
 * f's inode has new content. The old content stays known under an id of its own, as a
 * copy may hold its rest; f begins again.
 */
static void cut(struct tail *t, struct tail_file *f)
{
    t->count.truncated++;
    t->scan_wanted = true;
    log_info(t->env.log, "%s: truncated or replaced; reading from its start", f->path);
    struct tail_file *old = tail_file_new(t->set.last_id + 1, f->path);
    if (old && f->mark.read > 0 && !f->done && !f->is_gz) {
        old->mark = f->mark;
        old->mark.fate = TAIL_CUT;
        old->next = f->next;
        old->resume = f->resume;
        old->number = f->number;
        old->logs = f->logs;
        old->left_s = t->now.unix_ms / 1000;
        old->changed = true;
        if (f->logline)
            logline_save(f->logline, &old->saved);
        else
            buf_add(&old->saved, buf_slice(&f->saved));
        tail_set_add(&t->set, old);
    } else {
        tail_file_free(old);
    }
    tail_file_restart(f);
}

/* --- newcomers ------------------------------------------------------------------------
 */

static bool is_gz(int fd, const char *path)
{
    unsigned char magic[2];
    return glob_gz(path) && pread(fd, magic, 2, 0) == 2 && magic[0] == 0x1f &&
           magic[1] == 0x8b;
}

/* Files that repeat their first line are compared within their own family of names only.
 */
static bool may_be_copy(const struct tail_file *o, const char *path)
{
    struct slice was = glob_unrotated(path), is = glob_unrotated(o->path);
    if (o->drop || o->is_gz || o->done || o->mark.read == 0 || was.n == 0)
        return false;
    if (o->mark.telling)
        return true;
    return slice_eq(was, slice_str(o->path)) || (is.n > 0 && slice_eq(was, is));
}

/* The file whose content, as far as it was read, this newcomer has too; or NULL. */
static struct tail_file *original_of(struct tail *t, int fd, bool gz, const char *path)
{
    struct tail_room room;
    struct tail_look look;
    struct tail_file *best = NULL;
    if (tail_file_look(fd, gz, NULL, &room, &look) != ST_OK)
        return NULL;
    for (size_t i = 0; i < t->set.n; i++) {
        struct tail_file *o = t->set.at[i];
        struct tail_room again;
        struct tail_look both;
        if (!may_be_copy(o, path) || !tail_print_agrees(o->mark.head, look.head) ||
            (best && best->mark.read >= o->mark.read))
            continue;
        if (tail_file_look(fd, gz, &o->mark, &again, &both) == ST_OK &&
            tail_same_content(&o->mark, &both))
            best = o;
    }
    return best;
}

/* The same inode went away and is back (moved out of the patterns and in again). */
static struct tail_file *returned(struct tail *t, int fd, const struct stat *st)
{
    for (size_t i = 0; i < t->set.n; i++) {
        struct tail_file *o = t->set.at[i];
        struct tail_room room;
        struct tail_look look;
        if (o->mark.fate == TAIL_GONE && !o->drop && o->mark.ino == st->st_ino &&
            o->mark.dev == st->st_dev &&
            tail_file_look(fd, false, &o->mark, &room, &look) == ST_OK &&
            tail_same_content(&o->mark, &look))
            return o;
    }
    return NULL;
}

/* f goes on where o was left; the spool forgets o in the same transaction. */
static void inherit(struct tail_file *f, struct tail_file *o)
{
    uint64_t dev = f->mark.dev, ino = f->mark.ino;
    f->mark = o->mark;
    f->mark.dev = dev;
    f->mark.ino = ino;
    f->mark.fate = TAIL_HERE;
    f->next = f->scanned = f->resume = o->resume;
    f->number = o->number;
    buf_reset(&f->saved);
    buf_add(&f->saved, buf_slice(&o->saved));
    f->rotated = true;
    o->drop = o->changed = true;
}

/* Was the name that it had before rotation taken again? */
static bool replaced(const char *path)
{
    char before[PATH_MAX];
    struct slice s = glob_unrotated(path);
    if (s.n == 0 || s.n >= sizeof before)
        return false;
    memcpy(before, s.p, s.n);
    before[s.n] = '\0';
    return access(before, F_OK) == 0;
}

static int64_t mtime_ns(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

static struct tail_file *adopt(struct tail *t, const struct newcomer *n, int fd,
                               const struct stat *st, bool gz)
{
    struct tail_file *f = tail_file_new(t->set.last_id + 1, n->path);
    if (!f)
        return NULL;
    f->fd = fd;
    f->mark.dev = st->st_dev;
    f->mark.ino = st->st_ino;
    f->logs = n->pattern->logs;
    f->sibling = n->sibling;
    f->is_gz = gz;
    f->rotated = n->sibling || gz || replaced(n->path);
    f->size = (uint64_t)st->st_size;
    f->mtime_ns = mtime_ns(st);
    f->grown_ms = t->now.mono_ms;
    f->scan = t->scan;
    f->dirty = f->changed = true;
    if (tail_set_add(&t->set, f) != ST_OK)
        return NULL;
    watch_file(t, f);
    return f;
}

/* Beyond the limit of descriptors, a file is opened for each of its turns. */
static void hold(struct tail *t, struct tail_file *f)
{
    if (f->fd >= 0 && t->open_files >= t->c->limits.open_files && !f->left_ms && !f->gz)
        tail_file_sleep(f);
    t->open_files += f->fd >= 0;
}

/* A file never met that nothing known explains: where does it begin? */
static void begin(struct tail *t, struct tail_file *f, const struct pattern *p,
                  int64_t mtime_ms)
{
    bool first = p->first && t->scan == 1;
    bool history = f->sibling && mtime_ms <= p->since_ms;
    if (!history && !(first && p->logs->start == CONFIG_START_END))
        return;
    if (history || f->is_gz)
        f->done = true;
    else
        tail_file_skip(f);
    log_debug(t->env.log, "%s: history, left out", f->path);
}

/* Too fresh a .gz is being written still; a copy waits for what happens to the original.
 */
static bool must_wait(struct tail *t, const struct newcomer *n, const struct stat *st,
                      bool gz)
{
    int64_t age_ms = t->now.unix_ms - mtime_ns(st) / 1000000;
    if (st->st_size == 0 && glob_gz(n->path))
        return true;
    if (gz && age_ms >= 0 && age_ms < GZ_STABLE_MS) {
        t->fresh_gz = true;
        if (t->scan_due_ms > t->now.mono_ms + GZ_STABLE_MS)
            t->scan_due_ms = t->now.mono_ms + GZ_STABLE_MS;
        return true;
    }
    return false;
}

/* Judge one newcomer. True: fd belongs to the set now. */
static bool judge(struct tail *t, const struct newcomer *n, int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
        tail_set_by_ino(&t->set, st.st_dev, st.st_ino))
        return false;
    bool gz = is_gz(fd, n->path);
    if (must_wait(t, n, &st, gz))
        return false;
    struct tail_file *o = gz ? NULL : returned(t, fd, &st);
    enum tail_copy verdict = o ? TAIL_TAKEN : TAIL_NEW;
    int64_t mtime_ms = mtime_ns(&st) / 1000000;
    if (!o && (o = original_of(t, fd, gz, n->path)))
        verdict = tail_copy_of(&o->mark, gz, t->now.unix_ms - mtime_ms > t->c->grace_ms);
    if (verdict == TAIL_WAIT)
        return false;
    struct tail_file *f = adopt(t, n, fd, &st, gz);
    if (f && verdict == TAIL_TAKEN) {
        log_info(t->env.log, "%s: holds what was %s; going on at %llu", n->path, o->path,
                 (unsigned long long)o->resume);
        inherit(f, o);
    } else if (f) {
        begin(t, f, n->pattern, mtime_ms);
    }
    if (f)
        hold(t, f);
    return f != NULL;
}

static void judge_newcomers(struct tail *t)
{
    uint64_t here = 0;
    uint64_t unreadable = t->count.unreadable;
    t->count.unreadable = t->denied;
    t->count.over_limit = 0;
    t->fresh_gz = false;
    for (size_t i = 0; i < t->set.n; i++)
        here += t->set.at[i]->mark.fate == TAIL_HERE;
    for (size_t i = 0; i < t->newcomers; i++) {
        struct newcomer *n = &t->newcomer[i];
        int fd = -1;
        bool room = here < (uint64_t)t->c->limits.files;
        t->count.over_limit += !room;
        if (room)
            fd = open(n->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (room && fd < 0 && errno != ENOENT && t->count.unreadable++ >= unreadable)
            log_warn(t->env.log, "%s: not readable: %s", n->path, strerror(errno));
        if (fd >= 0 && judge(t, n, fd))
            here++;
        else if (fd >= 0)
            close(fd);
        free(n->path);
    }
    if (t->count.over_limit && !t->full_said)
        log_warn(t->env.log, "limits.files is %lld: %llu files are left out",
                 (long long)t->c->limits.files, (unsigned long long)t->count.over_limit);
    t->full_said = t->count.over_limit > 0;
    t->newcomers = 0;
}

/* --- scanning -------------------------------------------------------------------------
 */

static void meet_known(struct tail *t, struct tail_file *f, const char *path,
                       const struct stat *st, bool sibling)
{
    if (f->scan == t->scan) { /* a second name, or a second pattern */
        f->sibling &= sibling;
        return;
    }
    f->scan = t->scan;
    f->logs = t->walking->logs;
    f->sibling = sibling;
    f->left_ms = f->left_s = 0;
    if (strcmp(f->path, path) != 0 && tail_file_rename(f, path)) {
        f->rotated = sibling || glob_unrotated(path).n > 0;
        t->count.rotated++;
    }
    bool touched = mtime_ns(st) != f->mtime_ns || (uint64_t)st->st_size != f->size;
    if (touched || (t->scan == 1 && !f->is_gz))
        f->dirty = true;
    if (f->is_gz && touched)
        f->done = false; /* written on, or anew: its head will tell */
    f->mtime_ns = mtime_ns(st);
    f->size = (uint64_t)st->st_size;
}

static void meet(void *arg, const char *path, const struct stat *st, bool sibling)
{
    struct tail *t = arg;
    struct tail_file *f = tail_set_by_ino(&t->set, st->st_dev, st->st_ino);
    if (f) {
        meet_known(t, f, path, st, sibling);
        return;
    }
    if (t->newcomers == t->newcomers_cap) {
        size_t cap = t->newcomers_cap ? t->newcomers_cap * 2 : 16;
        struct newcomer *n = realloc(t->newcomer, cap * sizeof *n);
        if (!n)
            return;
        t->newcomer = n;
        t->newcomers_cap = cap;
    }
    char *copy = strdup(path);
    if (copy)
        t->newcomer[t->newcomers++] = (struct newcomer){ copy, t->walking, sibling };
}

static void denied(void *arg, const char *path)
{
    struct tail *t = arg;
    t->denied++;
    if (t->scan == 1)
        log_warn(t->env.log, "%s: not readable: %s", path, strerror(errno));
}

/* Who was not met: with a descriptor it is read on for a while, without it is gone. */
static void miss(struct tail *t)
{
    for (size_t i = 0; i < t->set.n; i++) {
        struct tail_file *f = t->set.at[i];
        if (f->mark.fate != TAIL_HERE || f->drop || f->scan == t->scan)
            continue;
        if (f->fd < 0) {
            gone(t, f);
        } else if (f->left_ms == 0) {
            f->left_ms = t->now.mono_ms;
            f->left_s = t->now.unix_ms / 1000;
            f->rotated = true;
        }
        f->dirty |= f->fd >= 0;
    }
}

static int64_t mono_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void scan(struct tail *t)
{
    const struct tail_walk on = { t, watch_folder, meet, denied };
    int64_t begin_ms = mono_ms();
    t->scan++;
    t->scan_wanted = false;
    t->denied = 0;
    t->scan_due_ms = t->now.mono_ms + (t->polling ? POLL_MS : t->c->rescan_ms);
    for (size_t i = 0; i < t->patterns; i++) {
        t->walking = &t->pattern[i];
        tail_walk(t->walking->text, &t->walking->logs->exclude, &on);
    }
    miss(t);
    judge_newcomers(t);
    tail_set_forget(&t->set, (size_t)t->c->limits.files,
                    (t->now.unix_ms - t->c->remember_ms) / 1000);
    int64_t took_ms = mono_ms() - begin_ms;
    t->scan_ok_ms = t->now.mono_ms + SETTLE_MS + SCAN_SHARE * took_ms;
}

/* --- turns ----------------------------------------------------------------------------
 */

static void take_turn(struct tail *t, struct tail_file *f)
{
    uint64_t before = f->scanned;
    t->open_files -= f->fd >= 0;
    f->dirty = false;
    switch (tail_file_turn(f, &t->reader, t->c->limits.turn_bytes)) {
    case TAIL_TURN_IDLE:
        f->broken = false;
        break;
    case TAIL_TURN_MORE:
        f->dirty = true;
        break;
    case TAIL_TURN_TRUNCATED:
        cut(t, f);
        break;
    case TAIL_TURN_LOST:
        t->scan_wanted = true;
        break;
    case TAIL_TURN_FAILED:
        if (!f->broken)
            log_warn(t->env.log, "%s: %s", f->path,
                     f->is_gz ? "not readable as gzip data to its end" : strerror(errno));
        f->broken = true;
        break;
    }
    if (f->scanned != before)
        f->grown_ms = t->now.mono_ms;
    watch_file(t, f);
    if (f->dirty)
        t->open_files += f->fd >= 0;
    else
        hold(t, f);
}

/* One turn each, round robin, from where the last step stopped. True: more waits. */
static bool take_turns(struct tail *t)
{
    uint64_t enough = t->count.bytes + STEP_BYTES;
    bool more = false;
    size_t n = t->set.n;
    for (size_t k = 0; k < n; k++) {
        if (t->count.bytes >= enough)
            return true;
        struct tail_file *f = t->set.at[t->cursor++ % n];
        if (f->dirty && f->mark.fate == TAIL_HERE && !f->drop)
            take_turn(t, f);
        more |= f->dirty;
    }
    return more;
}

/* When f is complete, its last half line too; INT64_MAX: it may still grow, or was. */
static int64_t complete_ms(const struct tail *t, const struct tail_file *f)
{
    if (f->mark.fate != TAIL_HERE || f->drop || f->dirty || f->gz || f->fd < 0 ||
        (f->left_ms == 0 && !f->rotated && !f->done))
        return INT64_MAX;
    int64_t since = f->left_ms > f->grown_ms ? f->left_ms : f->grown_ms;
    return since + t->c->grace_ms;
}

/* What no event brings: rotated files are complete some time after their last byte. */
static void care(struct tail *t)
{
    t->care_due_ms = INT64_MAX;
    t->open_files = 0;
    for (size_t i = 0; i < t->set.n; i++) {
        struct tail_file *f = t->set.at[i];
        int64_t due = complete_ms(t, f);
        if (due <= t->now.mono_ms) {
            tail_file_finish(f, &t->reader);
            if (f->left_ms)
                gone(t, f);
            else
                tail_file_sleep(f);
        } else if (due < t->care_due_ms) {
            t->care_due_ms = due;
        }
        t->open_files += f->fd >= 0;
    }
}

/* Nothing is left to read for a run that ends by itself; quiet half lines are taken. */
static enum status step_once(struct tail *t)
{
    for (size_t i = 0; i < t->set.n; i++) {
        struct tail_file *f = t->set.at[i];
        if (f->mark.fate == TAIL_HERE && f->fd >= 0 && f->size > f->next && !f->done &&
            t->now.unix_ms - f->mtime_ns / 1000000 > t->c->grace_ms)
            tail_file_finish(f, &t->reader);
    }
    return ST_END;
}

static enum status tail_step(struct source *s, struct source_time now)
{
    struct tail *t = tail_of(s);
    t->now = now;
    drain_events(t);
    if (now.mono_ms >= t->scan_due_ms || (t->scan_wanted && now.mono_ms >= t->scan_ok_ms))
        scan(t);
    bool more = take_turns(t);
    care(t);
    if (more)
        return ST_MORE;
    if (t->env.once && (t->scan_wanted || (t->fresh_gz && t->scan < 10)))
        return ST_OK;
    if (!t->settling || t->env.once) {
        lines_free(t->reader.lines);
        t->reader.lines = NULL;
    }
    return t->env.once ? step_once(t) : ST_OK;
}

/* --- the source -----------------------------------------------------------------------
 */

static int tail_fd(const struct source *s)
{
    const struct tail *t = tail_of(s);
    return t->settling ? -1 : t->inotify;
}

static int64_t tail_wake_ms(const struct source *s)
{
    const struct tail *t = tail_of(s);
    int64_t at = t->scan_due_ms < t->care_due_ms ? t->scan_due_ms : t->care_due_ms;
    if (t->settling && t->now.mono_ms + SETTLE_MS < at)
        at = t->now.mono_ms + SETTLE_MS;
    if (t->scan_wanted && t->scan_ok_ms < at)
        at = t->scan_ok_ms;
    return at;
}

static void tail_rescan(struct source *s)
{
    tail_of(s)->scan_due_ms = 0;
}

/* The spool's name of a pattern's `since`. */
static void since_name(const struct pattern *p, char name[static 40])
{
    snprintf(name, 40, "tail.since.%016llx",
             (unsigned long long)slice_hash(slice_str(p->text), 0));
}

static bool tail_unsaved(const struct source *s)
{
    const struct tail *t = tail_of(s);
    for (size_t i = 0; i < t->set.n; i++) {
        if (t->set.at[i]->changed)
            return true;
    }
    return !t->since_saved;
}

static void tail_save(struct source *s, struct spool *spool)
{
    struct tail *t = tail_of(s);
    for (size_t i = 0; i < t->set.n; i++) {
        if (t->set.at[i]->changed)
            tail_file_save(t->set.at[i], spool);
    }
    for (size_t i = 0; !t->since_saved && i < t->patterns; i++) {
        struct buf value = { 0 };
        char name[40];
        since_name(&t->pattern[i], name);
        buf_addi(&value, t->pattern[i].since_ms);
        spool_put_value(spool, name, buf_slice(&value));
        buf_release(&value);
    }
}

static void tail_saved(struct source *s)
{
    struct tail *t = tail_of(s);
    for (size_t i = 0; i < t->set.n; i++) {
        struct tail_file *f = t->set.at[i];
        if (f->changed)
            f->stored = !f->drop;
        f->changed = false;
    }
    tail_set_sweep(&t->set);
    t->since_saved = true;
}

static void tail_health(const struct source *s, struct source_health *sum)
{
    const struct tail *t = tail_of(s);
    struct source_health h = t->count;
    for (size_t i = 0; i < t->set.n; i++) {
        const struct tail_file *f = t->set.at[i];
        if (f->mark.fate != TAIL_HERE)
            continue;
        h.open_files += f->fd >= 0;
        h.files += !f->done || f->is_gz;
        h.binary += f->done && !f->is_gz && !f->sibling;
        if (!f->done && !f->is_gz && f->size > f->next)
            h.lag_bytes += f->size - f->next;
    }
    /* All members are counters of one type. */
    const uint64_t *from = (const uint64_t *)&h;
    uint64_t *to = (uint64_t *)sum;
    for (size_t i = 0; i < sizeof h / sizeof *from; i++)
        to[i] += from[i];
}

static void tail_close(struct source *s)
{
    struct tail *t = tail_of(s);
    tail_set_release(&t->set);
    lines_free(t->reader.lines);
    for (size_t i = 0; i < t->newcomers; i++)
        free(t->newcomer[i].path);
    free(t->newcomer);
    free(t->pattern);
    if (t->inotify >= 0)
        close(t->inotify);
    free(t);
}

static const struct source_ops tail_ops = {
    .name = "tail",
    .fd = tail_fd,
    .wake_ms = tail_wake_ms,
    .step = tail_step,
    .rescan = tail_rescan,
    .unsaved = tail_unsaved,
    .save = tail_save,
    .saved = tail_saved,
    .health = tail_health,
    .close = tail_close,
};

static void load(void *arg, const struct spool_position *p)
{
    struct tail *t = arg;
    struct tail_file *f = tail_file_load(p);
    if (f)
        tail_set_add(&t->set, f);
    else
        log_error(t->env.log, "%.*s: its read position in the spool is damaged",
                  SLICE_FMT(p->path));
}

static enum status load_patterns(struct tail *t, struct spool *spool, int64_t now_ms)
{
    for (size_t i = 0; i < t->c->logs.n; i++)
        t->patterns += config_logs(t->c, i)->path.n;
    t->pattern = calloc(t->patterns ? t->patterns : 1, sizeof *t->pattern);
    if (!t->pattern)
        return ST_NOMEM;
    t->patterns = 0;
    for (size_t i = 0; i < t->c->logs.n; i++) {
        const struct config_logs *l = config_logs(t->c, i);
        for (size_t k = 0; k < l->path.n; k++) {
            struct pattern *p = &t->pattern[t->patterns];
            struct buf value = { 0 };
            char name[40];
            *p = (struct pattern){ .logs = l, .text = l->path.at[k] };
            if (strcmp(p->text, "-") == 0)
                continue;
            since_name(p, name);
            p->first = spool_get_value(spool, name, &value) != ST_OK ||
                       !slice_i64(buf_slice(&value), &p->since_ms);
            if (p->first)
                p->since_ms = now_ms;
            buf_release(&value);
            t->patterns++;
        }
    }
    return ST_OK;
}

enum status source_tail_open(const struct config *c, const struct source_env *env,
                             struct spool *spool, struct source **out)
{
    struct timespec now;
    struct tail *t = calloc(1, sizeof *t);
    if (!t)
        return ST_NOMEM;
    clock_gettime(CLOCK_REALTIME, &now);
    t->base.ops = &tail_ops;
    t->c = c;
    t->env = *env;
    t->reader = (struct tail_reader){ .env = &t->env, .count = &t->count };
    t->inotify = env->once ? -1 : inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    t->care_due_ms = INT64_MAX;
    if (t->inotify < 0 && !env->once)
        lose_inotify(t, "inotify");
    enum status st = load_patterns(t, spool, (int64_t)now.tv_sec * 1000);
    if (st == ST_OK)
        st = spool_load_positions(spool, load, t);
    if (st != ST_OK) {
        tail_close(&t->base);
        return st;
    }
    *out = &t->base;
    return ST_OK;
}
