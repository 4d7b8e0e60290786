/*
 * Following files: see source_tail.h and tail.h. Events, turns and the source's
 * interface. A shell file.
 */
#include "agent/tail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

enum {
    FOLDER_EVENTS = IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF |
                    IN_MOVE_SELF | IN_ONLYDIR,
};

static struct tail *tail_of(const struct source *s)
{
    return (struct tail *)(uintptr_t)s;
}

/* --- watching -------------------------------------------------------------- */

static void lose_inotify(struct tail *t, const char *path)
{
    if (!t->polling)
        log_warn(t->env.log, "%s: no inotify watch (%s): looking every %d ms instead",
                 path, strerror(errno), TAIL_POLL_MS);
    t->polling = true;
}

void tail_watch_folder(void *arg, const char *path)
{
    struct tail *t = arg;
    if (t->inotify >= 0 && inotify_add_watch(t->inotify, path, FOLDER_EVENTS) < 0 &&
        errno != ENOENT && errno != ENOTDIR && errno != EACCES)
        lose_inotify(t, path);
}

/* By the descriptor: a path may mean another file by now. */
void tail_watch_file(struct tail *t, struct tail_file *f)
{
    char path[64];
    if (t->inotify < 0 || f->wd >= 0 || f->fd < 0)
        return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", f->fd);
    int wd = inotify_add_watch(t->inotify, path, IN_MODIFY | IN_MOVE_SELF);
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
        t->scan_wanted |= (e->mask & IN_MOVE_SELF) != 0;
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

/* --- going away ------------------------------------------------------------ */

void tail_gone(struct tail *t, struct tail_file *f)
{
    if (f->fd >= 0 || f->logline)
        tail_file_sleep(f);
    unwatch(t, f);
    tail_set_leave(&t->set, f);
    f->mark.fate = TAIL_GONE;
    f->dirty = false;
    f->changed = true;
    f->drop = f->done || f->mark.read == 0;
    t->scan_wanted = true; /* a .gz may wait for this */
    if (f->left_s == 0)
        f->left_s = t->now.unix_ms / 1000;

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

/* --- turns ----------------------------------------------------------------- */

/*
 * Other content, and we did not hold the inode: it may have been given to another file
 * (a copy, a .gz), so what stands there is for the next scan to judge.
 */
static void replaced(struct tail *t, struct tail_file *f)
{
    enum tail_fate fate = f->moved || f->is_gz ? TAIL_GONE : TAIL_CUT;
    log_debug(t->env.log, "%s: another file now", f->path);
    tail_gone(t, f);
    f->mark.fate = fate;
}

void tail_hold(struct tail *t, struct tail_file *f)
{
    if (f->fd >= 0 && t->open_files >= t->c->limits.open_files && !f->left_ms && !f->gz)
        tail_file_sleep(f);
    t->open_files += f->fd >= 0;
}

void tail_take_turn(struct tail *t, struct tail_file *f)
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
        if (f->is_gz || f->reopened)
            replaced(t, f);
        else
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
    if (f->mark.fate != TAIL_HERE)
        return;
    if (f->scanned != before)
        f->grown_ms = t->now.mono_ms;
    tail_watch_file(t, f);
    if (f->dirty)
        t->open_files += f->fd >= 0;
    else
        tail_hold(t, f);
}

/* --- rounds ---------------------------------------------------------------- */

/* One turn each, round robin, from where the last step stopped. True: more waits. */
static bool take_turns(struct tail *t)
{
    uint64_t enough = t->count.bytes + TAIL_STEP_BYTES;
    bool more = false;
    size_t n = t->set.n;
    for (size_t k = 0; k < n; k++) {
        if (t->count.bytes >= enough)
            return true;
        struct tail_file *f = t->set.at[t->cursor++ % n];
        if (f->dirty && f->mark.fate == TAIL_HERE && !f->drop)
            tail_take_turn(t, f);
        more |= f->dirty;
    }
    return more;
}

/* When f is complete, its last half line too; INT64_MAX: it may still grow, or was. */
static int64_t complete_ms(const struct tail *t, const struct tail_file *f)
{
    if (f->mark.fate != TAIL_HERE || f->drop || f->dirty || f->gz ||
        (f->left_ms == 0 && (f->fd < 0 || (!f->rotated && !f->done))))
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
            if (f->left_ms && f->size > f->next && !f->is_gz)
                t->count.unread_gone += f->size - f->next;
            if (f->left_ms)
                tail_gone(t, f);
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
        tail_scan(t);
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

/* --- the source ------------------------------------------------------------ */

static int tail_fd(const struct source *s)
{
    const struct tail *t = tail_of(s);
    return t->settling ? -1 : t->inotify;
}

static int64_t tail_wake_ms(const struct source *s)
{
    const struct tail *t = tail_of(s);
    int64_t at = t->scan_due_ms < t->care_due_ms ? t->scan_due_ms : t->care_due_ms;
    if (t->settling && t->now.mono_ms + TAIL_SETTLE_MS < at)
        at = t->now.mono_ms + TAIL_SETTLE_MS;
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
        /* With `start: end` it goes with the positions that the first scan sets. */
        if (t->scan == 0 && t->pattern[i].logs->start == CONFIG_START_END)
            continue;
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
    t->since_saved = t->scan > 0;
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

/* A quiet file is as good as asleep; only its descriptor stays. */
static void tail_rest(struct source *s)
{
    struct tail *t = tail_of(s);
    for (size_t i = 0; i < t->set.n; i++)
        tail_file_rest(t->set.at[i]);
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
    .rest = tail_rest,
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
