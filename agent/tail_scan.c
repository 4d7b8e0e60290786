/*
 * A scan of the patterns: see tail.h. A shell file.
 *
 * What rotation looks like from here:
 *  1. rename + create   the inode has another name, and the name another inode
 *  2. copytruncate      a new inode with known content; then new content in a known inode
 *  3. delete            the inode is not met any more; the descriptor still reads
 *  4. gzip of the old   3, and a .gz whose content is known
 *  5. inode reuse       new content in a known inode, as in 2
 *  6. symlink swap      3 and a new file, though nobody deleted anything
 * So a scan collects what it meets, then sees who is missing, then judges newcomers.
 */
#include "agent/glob.h"
#include "agent/tail.h"
#include "agent/tail_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* --- newcomers ------------------------------------------------------------- */

static int open_file(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

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

/* The file here that has this path, or NULL. */
static struct tail_file *here_at(const struct tail *t, struct slice path)
{
    for (size_t i = 0; i < t->set.n; i++) {
        struct tail_file *f = t->set.at[i];
        if (f->mark.fate == TAIL_HERE && slice_eq(slice_str(f->path), path))
            return f;
    }
    return NULL;
}

/*
 * A plain file that is shorter than what was read of the one with its former name, and
 * begins like it: a copy that is being made. An empty one may become that.
 */
static bool half_copied(struct tail *t, int fd, const char *path, bool waited)
{
    struct tail_room room, first;
    struct tail_look copy, now;
    struct slice was = glob_unrotated(path);
    struct tail_file *o = was.n > 0 ? here_at(t, was) : NULL;
    if (!o || o->is_gz || o->done || tail_file_open(o) != ST_OK ||
        tail_file_look(fd, false, NULL, &room, &copy) != ST_OK ||
        tail_file_look(o->fd, false, NULL, &first, &now) != ST_OK)
        return false;
    return copy.size < o->mark.read && now.head.n >= copy.head.n &&
           slice_eq(copy.head, slice_head(now.head, copy.head.n)) &&
           !(waited && (copy.size == 0 || !o->mark.telling));
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
    tail_watch_file(t, f);
    return f;
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
    if (gz && age_ms >= 0 && age_ms < TAIL_GZ_STABLE_MS) {
        t->fresh_gz = true;
        if (t->scan_due_ms > t->now.mono_ms + TAIL_GZ_STABLE_MS)
            t->scan_due_ms = t->now.mono_ms + TAIL_GZ_STABLE_MS;
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
    bool waited = t->now.unix_ms - mtime_ms > t->c->grace_ms;
    if (!o && (o = original_of(t, fd, gz, n->path)))
        verdict = tail_copy_of(&o->mark, gz, waited);
    else if (!o && !gz && half_copied(t, fd, n->path, waited))
        verdict = TAIL_WAIT;
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
        tail_hold(t, f);
    return f != NULL;
}

/* Open and judge one, within the limit of files. True: one more is followed. */
static bool take_newcomer(struct tail *t, struct newcomer *n, bool room)
{
    t->count.over_limit += !room;
    if (room && n->fd < 0 && (n->fd = open_file(n->path)) < 0 && errno != ENOENT &&
        ++t->count.unreadable > t->unreadable)
        log_warn(t->env.log, "%s: not readable: %s", n->path, strerror(errno));
    bool taken = room && n->fd >= 0 && judge(t, n, n->fd);
    if (!taken && n->fd >= 0)
        close(n->fd);
    return taken;
}

/*
 * A turn for the file that has this path, and again when it was found cut. False: what
 * stands there is not known before the next scan.
 */
static bool refresh(struct tail *t, struct slice path)
{
    struct tail_file *f = path.n > 0 ? here_at(t, path) : NULL;
    for (int i = 0; f && i < 3 && (i == 0 || (f->dirty && f->mark.read == 0)); i++) {
        tail_take_turn(t, f);
        if (f->mark.fate != TAIL_HERE)
            return false;
    }
    return true;
}

/*
 * Rotated ones last, each after a turn of the file that has its former name: whether it
 * is a copy of that one shows only when we know what stands there now.
 */
static void judge_newcomers(struct tail *t)
{
    int64_t here = 0;
    t->unreadable = t->count.unreadable;
    t->count.unreadable = t->denied;
    t->count.over_limit = 0;
    t->fresh_gz = false;
    for (size_t i = 0; i < t->set.n; i++)
        here += t->set.at[i]->mark.fate == TAIL_HERE;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < t->newcomers; i++) {
            struct newcomer *n = &t->newcomer[i];
            struct slice was = glob_unrotated(n->path);
            if ((was.n > 0) != (pass == 1))
                continue;
            if (refresh(t, was))
                here += take_newcomer(t, n, here < t->c->limits.files);
            else if (n->fd >= 0)
                close(n->fd);
        }
    }
    for (size_t i = 0; i < t->newcomers; i++)
        free(t->newcomer[i].path);
    if (t->count.over_limit && !t->full_said)
        log_warn(t->env.log, "limits.files is %lld: %llu files are left out",
                 (long long)t->c->limits.files, (unsigned long long)t->count.over_limit);
    t->full_said = t->count.over_limit > 0;
    t->newcomers = 0;
}

/* --- scanning -------------------------------------------------------------- */

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
        f->moved = true;
        t->count.rotated++;
    }
    bool touched = mtime_ns(st) != f->mtime_ns || (uint64_t)st->st_size != f->size;
    if (touched || (t->scan == 1 && !f->is_gz))
        f->dirty = true;
    if (f->is_gz && touched)
        f->done = false; /* written on, or anew: its head will tell */
    f->mtime_ns = mtime_ns(st);
    f->size = (uint64_t)st->st_size;
    if (f->dirty && t->open_files < t->c->limits.open_files && f->fd < 0) {
        tail_file_open(f); /* at once, as names move fast */
        t->open_files += f->fd >= 0;
    }
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
    int fd = copy && t->newcomers < TAIL_NEWCOMERS_OPEN ? open_file(path) : -1;
    if (copy)
        t->newcomer[t->newcomers++] = (struct newcomer){ copy, t->walking, fd, sibling };
}

static void denied(void *arg, const char *path)
{
    struct tail *t = arg;
    t->denied++;
    if (t->scan == 1)
        log_warn(t->env.log, "%s: not readable: %s", path, strerror(errno));
}

/*
 * Who was not met: it is given the grace period, as its descriptor reads on, and as a
 * folder whose names move while it is read may hide one.
 */
static void miss(struct tail *t)
{
    for (size_t i = 0; i < t->set.n; i++) {
        struct tail_file *f = t->set.at[i];
        if (f->mark.fate != TAIL_HERE || f->drop || f->scan == t->scan)
            continue;
        if (t->env.once && f->fd < 0) {
            tail_gone(t, f);
        } else if (f->left_ms == 0) {
            f->left_ms = t->now.mono_ms;
            f->left_s = t->now.unix_ms / 1000;
            f->rotated = true;
        }
        f->dirty |= f->fd >= 0;
    }
}

static int64_t cpu_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void tail_scan(struct tail *t)
{
    const struct tail_walk on = { t, tail_watch_folder, meet, denied };
    int64_t begin_ms = cpu_ms();
    t->scan++;
    t->scan_wanted = false;
    t->denied = 0;
    t->scan_due_ms = t->now.mono_ms + (t->polling ? TAIL_POLL_MS : t->c->rescan_ms);
    for (size_t i = 0; i < t->patterns; i++) {
        t->walking = &t->pattern[i];
        tail_walk(t->walking->text, &t->walking->logs->exclude, &on);
    }
    miss(t);
    judge_newcomers(t);
    tail_set_forget(&t->set, (size_t)t->c->limits.files,
                    (t->now.unix_ms - t->c->remember_ms) / 1000);
    int64_t took_ms = cpu_ms() - begin_ms;
    t->scan_ok_ms = t->now.mono_ms + TAIL_SETTLE_MS + TAIL_SCAN_SHARE * took_ms;
}
