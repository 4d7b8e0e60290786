/* Alerts of a running collector: see alert_job.h. */
#include "collector/alert_job.h"

#include <stdio.h>

struct run {
    const struct alert_job *job;
    int64_t now_ms;
    double random01;
    /* Records are collected first: the store is not written to while it is read. */
    struct arena arena;
    struct doc {
        struct slice workload, json;
        struct doc *next;
    } * docs;
};

static enum status collect(void *arg, const struct store_record *r)
{
    struct run *run = arg;
    struct doc *d = arena_alloc(&run->arena, sizeof *d);
    if (!d)
        return ST_NOMEM;
    d->workload = arena_dup(&run->arena, slice_str(r->key));
    d->json = arena_dup(&run->arena, slice_str(r->json));
    if (!d->workload.p || !d->json.p)
        return ST_NOMEM;
    d->next = run->docs;
    run->docs = d;
    return ST_OK;
}

static enum status save(const struct run *run, const char *key, const struct alert *a)
{
    struct buf json = { 0 };
    alert_encode(a, &json);
    struct store_record r = {
        .kind = "alert", .key = key, .json = buf_cstr(&json), .at = run->now_ms / 1000
    };
    enum status st = json.st ? json.st : store_record_put(run->job->store, &r, 1);
    buf_release(&json);
    return st;
}

static enum status load(const struct run *run, const char *key, struct alert *a)
{
    struct buf json = { 0 };
    *a = (struct alert){ 0 };
    enum status st = store_record_get(run->job->store, "alert", key, &json, NULL);
    if (st == ST_NOT_FOUND) {
        st = ST_OK;
    } else if (st == ST_OK && alert_decode(a, buf_slice(&json)) != ST_OK) {
        log_warn(run->job->log, "alert %s: its stored state is unreadable; starting over",
                 key);
        *a = (struct alert){ 0 };
    }
    buf_release(&json);
    return st;
}

static enum status deliver(const struct run *run, const char *key, struct alert *a,
                           const struct notify_message *m)
{
    const struct alert_job *job = run->job;
    const struct notify_channel *channel = job->config->channels.at;
    /* One look before the first try: a channel that fails must not hold up the others. */
    const struct alert before = *a;
    for (unsigned c = 0; c < job->config->channels.n; c++) {
        if (!alert_due(&before, c, run->now_ms))
            continue;
        struct buf why = { 0 };
        enum status st = ST_OK;
        if (m->firing || channel[c].send_resolved)
            st = job->send(job->send_arg, &channel[c], m, &why);
        if (st == ST_OK) {
            alert_sent(a, c);
        } else if (st == ST_BUSY || st == ST_NOMEM) {
            log_warn(job->log, "alert %s to %s: %s; will try again", key, channel[c].name,
                     buf_cstr(&why));
            alert_failed(a, run->now_ms, run->random01);
        } else {
            log_error(job->log, "alert %s to %s: %s; given up", key, channel[c].name,
                      buf_cstr(&why));
            alert_sent(a, c);
        }
        buf_release(&why);
        if ((st = save(run, key, a)) != ST_OK)
            return st;
    }
    return ST_OK;
}

static enum status step(const struct run *run, const struct alert_rule_row *row,
                        const struct doc *doc)
{
    const struct alert_rule_config *rc = row->config(run->job->config);
    struct alert_facts facts = { .workload = doc->workload,
                                 .projection = doc->json,
                                 .external_url = run->job->external_url };
    struct notify_message m = { .rule = row->name,
                                .severity = row->severity,
                                .workload = doc->workload.p,
                                .external_url = run->job->external_url };
    struct buf summary = { 0 };
    struct alert a;
    char key[512];
    if (!rc->enabled)
        return ST_OK;
    snprintf(key, sizeof key, "%s/%s", row->name, doc->workload.p);
    enum status st = load(run, key, &a);
    if (st != ST_OK)
        return st;
    enum alert_condition condition = row->judge(rc, &facts, &m, &summary);
    if (condition != ALERT_UNKNOWN) {
        struct alert_rule rule = { row->name, row->severity, rc->for_ms, rc->resolve_ms };
        enum alert_phase before = a.phase;
        int64_t clear = a.clear_ms;
        enum alert_change change =
            alert_step(&a, &rule, condition == ALERT_TRUE, run->now_ms);
        alert_queue(&a, change, (unsigned)run->job->config->channels.n);
        if (change != ALERT_NONE)
            log_info(run->job->log, "alert %s: %s: %.*s", key,
                     change == ALERT_FIRED ? "firing" : "resolved",
                     SLICE_FMT(buf_slice(&summary)));
        if (change != ALERT_NONE || a.phase != before || a.clear_ms != clear)
            st = save(run, key, &a);
    }
    m.firing = a.phase == ALERT_FIRING;
    m.revision = a.revision;
    m.starts_ms = a.fired_ms;
    m.ends_ms = m.firing ? 0 : a.since_ms;
    m.summary = buf_slice(&summary);
    if (st == ST_OK && a.unsent)
        st = deliver(run, key, &a, &m);
    buf_release(&summary);
    return st;
}

enum status alert_job_run(const struct alert_job *job, int64_t now_ms, double random01)
{
    struct run run = { .job = job, .now_ms = now_ms, .random01 = random01 };
    arena_init(&run.arena, (size_t)64 << 20);
    enum status st = store_record_list(job->store, "projection", NULL, 1, collect, &run);
    for (const struct doc *d = run.docs; d && st == ST_OK; d = d->next)
        for (size_t r = 0; r < ALERT_RULES && st == ST_OK; r++)
            st = step(&run, &alert_rules[r], d);
    arena_release(&run.arena);
    return st;
}
