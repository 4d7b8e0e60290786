/* Wiring: see pipeline.h. A shell file. */
#include "agent/pipeline_private.h"

#include "agent/lighten.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

struct source_time pipeline_clocks(void)
{
    struct timespec mono, wall;
    clock_gettime(CLOCK_MONOTONIC, &mono);
    clock_gettime(CLOCK_REALTIME, &wall);
    return (struct source_time){
        .mono_ms = (int64_t)mono.tv_sec * 1000 + mono.tv_nsec / 1000000,
        .unix_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000,
    };
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* --- calls --- */

/* Calls without a time, or from the future, happened now as far as we can tell. */
static void give_time(struct pipeline *p, struct usage *u)
{
    int64_t latest_ns = (p->now.unix_ms + AHEAD_MS) * 1000000;
    bool none = u->ts_ns == USAGE_NO_TIME || u->ts_ns < 0;
    if (!none && u->ts_ns <= latest_ns)
        return;
    p->count.no_time += none;
    p->count.ahead += !none;
    u->ts_ns = p->now.unix_ms * 1000000;
}

void pipeline_load_dedup(void *arg, uint64_t hash, int64_t hour, struct slice blob)
{
    struct pipeline *p = arg;
    struct dedup_entry e;
    (void)hash;
    (void)hour;
    if (blob.n != sizeof e)
        return;
    memcpy(&e, blob.p, sizeof e);
    dedup_load(p->dedup, &e);
}

/* After a quiet time: the recent calls come back from the spool. */
static void reload_dedup(struct pipeline *p)
{
    p->unloaded = false;
    if (spool_load_dedup(p->spool, pipeline_load_dedup, p) != ST_OK)
        log_error(p->log, "the calls of before cannot be read from the spool: repeats of "
                          "them may count twice");
}

void pipeline_call(void *arg, struct usage *u)
{
    struct pipeline *p = arg;
    if (u->accounting == ACCOUNTING_NONE)
        return;
    if (p->pending++ == 0)
        p->pending_since_ms = p->now.mono_ms;
    give_time(p, u);
    if (p->unloaded)
        reload_dedup(p);
    if (dedup_judge(p->dedup, u) == DEDUP_AGAIN) {
        p->count.repeats++;
        return;
    }
    if (!rollup_counts(u)) {
        p->count.not_billed++;
        return;
    }
    p->count.calls += u->agg_n;
    /* A source that cannot wait goes on: in memory, and no longer by the minute. */
    bool full = p->retry_ms && delta_stats(p->delta).entries >= ENTRIES_MAX;
    enum status st = full ? delta_fold(p->delta, u) : delta_add(p->delta, u);
    if (st == ST_FULL) {
        p->count.spool_full += u->agg_n;
    } else if (st != ST_OK) {
        p->count.no_memory++;
        log_error(p->log, "out of memory: a call is missing in the totals");
    }
}

/* --- commits --- */

static void put_total(void *arg, const struct rollup_key *key, const struct rollup *r)
{
    struct pipeline *p = arg;
    spool_add(p->spool, key, r);
}

static void put_dedup(void *arg, const struct dedup_entry *e)
{
    struct pipeline *p = arg;
    /* Remembered now, whatever the hour of the call: old logs are read late. */
    spool_put_dedup(p->spool, e->key[0], p->now.unix_ms / 1000, slice_of(e, sizeof *e));
}

static enum status put_all(struct pipeline *p)
{
    if (spool_begin(p->spool, p->now.unix_ms / 1000) == ST_OK) {
        delta_each(p->delta, put_total, p);
        dedup_changed(p->dedup, put_dedup, p);
        for (size_t i = 0; i < p->sources; i++)
            source_save(p->source[i], p->spool);
    }
    return spool_commit(p->spool);
}

void pipeline_worked(struct pipeline *p)
{
    p->worked_ms = p->now.mono_ms;
    p->quiet_ms = p->now.mono_ms + QUIET_MS;
}

/* Totals, positions and response ids in one transaction. When it fails nothing happened:
 * all of it stays in memory, reading stops, and it is tried again. */
static enum status commit(struct pipeline *p)
{
    enum status st = put_all(p);
    if (st == ST_FULL && spool_prune(p->spool, p->now.unix_ms / 1000) == ST_OK)
        st = put_all(p);
    if (st != p->stuck && st != ST_OK)
        log_error(p->log,
                  "the spool takes nothing more (%s): reading stops until it does",
                  status_name(st));
    else if (st != p->stuck)
        log_info(p->log, "the spool takes totals again");
    p->stuck = st;
    p->retry_ms = st == ST_OK ? 0 : p->now.mono_ms + RETRY_MS;
    pipeline_worked(p);
    if (st != ST_OK)
        return st;
    delta_clear(p->delta);
    dedup_saved(p->dedup);
    for (size_t i = 0; i < p->sources; i++)
        source_saved(p->source[i]);
    p->pending = 0;
    p->pending_since_ms = p->unsaved_since_ms = INT64_MAX;
    return ST_OK;
}

static int64_t commit_due_ms(const struct pipeline *p)
{
    if (p->retry_ms)
        return p->retry_ms;
    if (p->pending >= PENDING_MAX || delta_stats(p->delta).entries >= ENTRIES_MAX)
        return 0;
    int64_t calls = p->pending_since_ms == INT64_MAX
                        ? INT64_MAX
                        : p->pending_since_ms + p->c->commit_ms;
    int64_t quiet = p->unsaved_since_ms == INT64_MAX
                        ? INT64_MAX
                        : p->unsaved_since_ms + QUIET_COMMIT_MS;
    return earlier(calls, quiet);
}

/* --- the loop --- */

/* While the spool is full logs wait; packets do not. */
static bool reads(const struct pipeline *p, size_t i)
{
    return !p->source_over[i] && (!p->retry_ms || source_live(p->source[i]));
}

static void step_sources(struct pipeline *p)
{
    for (size_t i = 0; i < p->sources; i++) {
        if (!reads(p, i))
            continue;
        enum status st = source_step(p->source[i], p->now);
        p->source_more[i] = st == ST_MORE;
        p->source_over[i] = st == ST_END;
        if (p->unsaved_since_ms == INT64_MAX && source_unsaved(p->source[i]))
            p->unsaved_since_ms = p->now.mono_ms;
        if (p->now.mono_ms >= commit_due_ms(p))
            commit(p);
    }
}

static bool reading_over(const struct pipeline *p)
{
    for (size_t i = 0; i < p->sources; i++) {
        if (!p->source_over[i])
            return false;
    }
    return true;
}

/* 0: at once; else when something must happen although no descriptor says so. */
static int64_t next_wake_ms(const struct pipeline *p)
{
    int64_t at = earlier(commit_due_ms(p), earlier(p->prune_ms, p->quiet_ms));
    if (p->shipper)
        at = earlier(at, shipper_wake_ms(p->shipper));
    for (size_t i = 0; i < p->sources; i++) {
        if (reads(p, i))
            at = p->source_more[i] ? 0 : earlier(at, source_wake_ms(p->source[i]));
    }
    return at;
}

static void wait_for_work(struct pipeline *p, int signal_fd, int64_t until_ms)
{
    struct pollfd poll_on[2 + SOURCES_MAX];
    nfds_t n = 0;
    poll_on[n++] = (struct pollfd){ .fd = signal_fd, .events = POLLIN };
    if (p->shipper)
        poll_on[n++] = (struct pollfd){ .fd = shipper_fd(p->shipper), .events = POLLIN };
    for (size_t i = 0; i < p->sources; i++) {
        if (reads(p, i))
            poll_on[n++] =
                (struct pollfd){ .fd = source_fd(p->source[i]), .events = POLLIN };
    }
    int64_t left = until_ms - pipeline_clocks().mono_ms;
    int timeout = left <= 0 ? 0 : left < INT_MAX ? (int)left : INT_MAX;
    int ready = poll(poll_on, n, timeout);
    if (ready < 0 && errno != EINTR)
        log_error(p->log, "poll: %s", strerror(errno));
    p->now = pipeline_clocks();
    if (ready > 0)
        pipeline_worked(p);
}

static void take_signals(struct pipeline *p, int signal_fd)
{
    struct signalfd_siginfo s;
    while (read(signal_fd, &s, sizeof s) == (ssize_t)sizeof s) {
        if (s.ssi_signo != SIGHUP) {
            log_info(p->log, "stopping: %s", strsignal((int)s.ssi_signo));
            p->stop = true;
            continue;
        }
        for (size_t i = 0; i < p->sources; i++)
            source_rescan(p->source[i]);
    }
}

/* Quiet: all is stored, nothing waits. Recent calls take a while to come back, so they go
 * the later the more they are. */
static void rest(struct pipeline *p)
{
    int64_t known = (int64_t)dedup_stats(p->dedup)->known;
    int64_t unload_ms = p->worked_ms + known / UNLOAD_PER_MS;
    for (size_t i = 0; i < p->sources; i++)
        if (p->source[i]->ops->rest)
            p->source[i]->ops->rest(p->source[i]);
    extract_rest(p->extract);
    spool_rest(p->spool);
    p->quiet_ms = INT64_MAX;
    if (p->now.mono_ms >= unload_ms)
        p->unloaded |= dedup_unload(p->dedup);
    else
        p->quiet_ms = unload_ms;
}

/* Once after a time of work; and the pages that any wake-up uses, at its end. */
static void give_back(struct pipeline *p)
{
    bool busy = p->pending || p->retry_ms;
    for (size_t i = 0; i < p->sources; i++)
        busy |= p->source_more[i];
    if (busy)
        pipeline_worked(p);
    bool quiet = p->now.mono_ms >= p->quiet_ms;
    if (!quiet && p->now.mono_ms < p->lighten_ms)
        return;
    if (quiet)
        rest(p);
    lighten();
    p->lighten_ms = p->now.mono_ms + LIGHTEN_MS;
}

static void step(struct pipeline *p)
{
    if (p->retry_ms && p->now.mono_ms >= p->retry_ms)
        commit(p);
    step_sources(p);
    if (!p->retry_ms && p->now.mono_ms >= commit_due_ms(p))
        commit(p);
    if (p->now.mono_ms >= p->prune_ms) {
        spool_prune(p->spool, p->now.unix_ms / 1000);
        p->prune_ms = p->now.mono_ms + PRUNE_MS;
    }
    give_back(p);
    if (p->shipper)
        shipper_step(p->shipper, p->now.mono_ms, p->now.unix_ms);
}

/* Ship what waits until nothing does, the collector fails, or it is time to go. */
static enum status ship_rest(struct pipeline *p, int signal_fd, int64_t until_ms)
{
    if (p->shipper)
        shipper_hurry(p->shipper);
    while (p->shipper && !shipper_idle(p->shipper)) {
        shipper_step(p->shipper, p->now.mono_ms, p->now.unix_ms);
        if (shipper_idle(p->shipper))
            break;
        enum ship_health health = shipper_health(p->shipper);
        bool failed = health != SHIP_OK && health != SHIP_UNTRIED;
        if (failed || p->now.mono_ms >= until_ms)
            return ST_BUSY;
        wait_for_work(p, signal_fd, earlier(until_ms, shipper_wake_ms(p->shipper)));
        take_signals(p, signal_fd);
        if (p->stop)
            until_ms = earlier(until_ms, p->now.mono_ms + STOP_SHIP_MS);
    }
    return ST_OK;
}

static void say_end(const struct pipeline *p)
{
    struct source_health h = { 0 };
    for (size_t i = 0; i < p->sources; i++)
        source_health(p->source[i], &h);
    log_info(p->log,
             "read %llu bytes, %llu lines; %llu records: %llu calls, %llu seen before, "
             "%llu not billed",
             (unsigned long long)h.bytes, (unsigned long long)h.lines,
             (unsigned long long)h.records, (unsigned long long)p->count.calls,
             (unsigned long long)p->count.repeats,
             (unsigned long long)p->count.not_billed);
}

enum status pipeline_run(struct pipeline *p, int signal_fd)
{
    bool over = false;
    p->now = pipeline_clocks();
    commit(p); /* what is new from now on is known even if this run dies early */
    while (!p->stop && !over) {
        step(p);
        over = reading_over(p) || (p->once && p->retry_ms);
        if (!over)
            wait_for_work(p, signal_fd, next_wake_ms(p));
        take_signals(p, signal_fd);
    }
    for (size_t i = 0; i < p->sources; i++)
        source_finish(p->source[i]);
    enum status st = commit(p);
    say_end(p);
    if (st != ST_OK)
        return st;
    int64_t patience_ms = p->stop ? STOP_SHIP_MS : INT64_MAX / 2;
    st = ship_rest(p, signal_fd, p->now.mono_ms + patience_ms);
    if (st == ST_BUSY)
        log_warn(p->log, "totals wait in the spool: the collector is %s",
                 ship_health_name(shipper_health(p->shipper)));
    return p->stop && st == ST_BUSY ? ST_OK : st;
}

/* --- health --- */

static void put_count(struct json_out *o, const char *key, uint64_t v)
{
    json_key(o, key);
    json_u64(o, v);
}

void pipeline_health(void *arg, struct buf *json)
{
    const struct pipeline *p = arg;
    struct source_health h = { 0 };
    struct spool_stats s = { 0 };
    struct delta_stats d = delta_stats(p->delta);
    struct json_out o = { .b = json };
    for (size_t i = 0; i < p->sources; i++)
        source_health(p->source[i], &h);
    spool_stats(p->spool, &s);
    json_open(&o, '{');
    put_count(&o, "uptime_s", (uint64_t)(p->now.mono_ms - p->start.mono_ms) / 1000);
    put_count(&o, "files", h.files);
    put_count(&o, "open_files", h.open_files);
    put_count(&o, "lag_bytes", h.lag_bytes);
    put_count(&o, "bytes", h.bytes);
    put_count(&o, "lines", h.lines);
    put_count(&o, "records", h.records);
    put_count(&o, "calls", p->count.calls);
    put_count(&o, "repeats", p->count.repeats);
    put_count(&o, "time_guessed", h.time_guessed + p->count.no_time + p->count.ahead);
    put_count(&o, "spool_bytes", s.bytes);
    put_count(&o, "spool_waiting", s.waiting);
    put_count(&o, "series", d.series);
    put_count(&o, "series_folded", d.folded);
    for (size_t i = 0; i < p->sources; i++)
        if (p->source[i]->ops->more_health)
            p->source[i]->ops->more_health(p->source[i], &o);
    json_key(&o, "drops");
    json_open(&o, '{');
    put_count(&o, "line_too_long", h.too_long);
    put_count(&o, "not_json", h.not_json);
    put_count(&o, "no_record", h.no_record);
    put_count(&o, "torn", h.torn);
    put_count(&o, "metric_points", h.points_dropped);
    put_count(&o, "file_unreadable", h.unreadable);
    put_count(&o, "file_binary", h.binary);
    put_count(&o, "file_over_limit", h.over_limit);
    put_count(&o, "unread_gone_bytes", h.unread_gone);
    put_count(&o, "no_memory", p->count.no_memory);
    put_count(&o, "rows_refused", s.refused + s.refused_pruned);
    put_count(&o, "spool_full_calls", p->count.spool_full);
    for (size_t i = 0; i < p->sources; i++)
        if (p->source[i]->ops->more_drops)
            p->source[i]->ops->more_drops(p->source[i], &o);
    json_close(&o, '}');
    json_close(&o, '}');
}
