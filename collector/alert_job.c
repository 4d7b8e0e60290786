/* Alerts of a running collector: see alert_job.h. */
#include "collector/alert_job.h"

#include "collector/metrics.h"

enum {
    ARENA_BYTES = 256 << 20,
    RESOLVED_KEPT_MS = 7 * 86400000, /* shown as over */
    REFRESH_MS = 600000,             /* numbers in the store are at most this old */
    WAIT_MOST_MS = 3600000,          /* that a receiver's Retry-After is obeyed for */
    RESEND_MS = 60000,               /* to Alertmanager, of what fires */
    RESEND_LASTS_MS = 900000         /* what it assumes without hearing of us */
};

struct run {
    const struct alert_job *job;
    struct alert_names names;
    struct alert_facts facts;
    struct arena arena;
    int64_t now_ms;
    double random01;
};

/* One rule in this run. */
struct turn {
    const struct run *run;
    const struct alert_rule_row *row;
    const struct alert_rule_config *rc;
    struct alert_set set;
};

struct alert_names alert_job_names(const struct alert_config *c)
{
    const struct notify_channel *ch = c->channels.at;
    struct alert_names names = { .n = c->channels.n };
    for (size_t i = 0; i < names.n; i++)
        names.name[i] = ch[i].name;
    return names;
}

/* --- the record -----------------------------------------------------------------------
 */

enum status alert_job_load(struct store *store, const char *rule,
                           const struct alert_names *names, const struct log *log,
                           struct alert_set *s, int64_t *at_s)
{
    struct buf json = { 0 };
    *at_s = 0;
    enum status st = store_record_get(store, "alerts", rule, &json, at_s);
    if (st == ST_NOT_FOUND) {
        st = ST_OK;
    } else if (st == ST_OK && alert_set_decode(s, names, buf_slice(&json)) != ST_OK) {
        log_warn(log, "alerts of %s: their stored state is unreadable; starting over",
                 rule);
    }
    buf_release(&json);
    return st == ST_OK ? s->st : st;
}

static enum status save(const struct turn *t)
{
    struct buf json = { 0 };
    alert_set_encode(&t->set, &t->run->names, &json);
    struct store_record r = { .kind = "alerts",
                              .key = t->row->name,
                              .json = buf_cstr(&json),
                              .at = t->run->now_ms / 1000 };
    enum status st =
        json.st ? json.st : store_record_put(t->run->job->source.store, &r, 1);
    buf_release(&json);
    return st;
}

/* --- messages -------------------------------------------------------------------------
 */

static const char *severity_of(const struct turn *t)
{
    return notify_severities[t->rc->severity];
}

static bool held(const struct turn *t, const struct alert_entry *e)
{
    return silence_find(t->run->job->silences, t->row->name, severity_of(t), e,
                        t->run->now_ms) != NULL;
}

static size_t firing(const struct alert_set *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += s->at[i]->a.phase == ALERT_FIRING;
    return n;
}

static enum status send_one(struct turn *t, unsigned c, struct notify_message *m)
{
    const struct alert_job *job = t->run->job;
    const struct notify_channel *ch = job->source.config->channels.at;
    struct buf why = { 0 };
    int64_t wait_ms = 0;
    enum status st = ST_OK;
    if (m->firing || ch[c].send_resolved)
        st = job->send(job->send_arg, &ch[c], m, &why, &wait_ms);
    if (st == ST_OK) {
        t->set.retry[c] = (struct alert_retry){ 0 };
        metrics_notified(job->metrics, c, METRICS_NOTIFY_OK);
    } else if (st != ST_BAD) {
        struct alert_retry *retry = &t->set.retry[c];
        bool again = alert_failed(retry, t->run->now_ms, job->source.config->give_up_ms,
                                  t->run->random01);
        if (wait_ms > WAIT_MOST_MS)
            wait_ms = WAIT_MOST_MS;
        if (again && retry->next_ms < t->run->now_ms + wait_ms)
            retry->next_ms = t->run->now_ms + wait_ms; /* it knows better than we */
        log_warn(job->log, "alert %s to %s: %s; %s", m->rule, ch[c].name, buf_cstr(&why),
                 again ? "will try again" : "given up");
        metrics_notified(job->metrics, c,
                         again ? METRICS_NOTIFY_FAILED : METRICS_NOTIFY_GIVEN_UP);
        st = again ? ST_BUSY : ST_OK;
    } else {
        log_error(job->log, "alert %s to %s: %s; given up", m->rule, ch[c].name,
                  buf_cstr(&why));
        metrics_notified(job->metrics, c, METRICS_NOTIFY_GIVEN_UP);
        st = ST_OK;
    }
    buf_release(&why);
    return st;
}

/*
 * Send the n alerts of `list` to channel c in as few messages as its kind allows. Each
 * taken one is told and saved at once. ST_BUSY: try again later; else the store's errors.
 */
static enum status send_list(struct turn *t, unsigned c, struct notify_message *m,
                             struct alert_entry **list, size_t n)
{
    const struct notify_channel *ch = t->run->job->source.config->channels.at;
    bool single = ch[c].kind == NOTIFY_PAGERDUTY && !t->row->grouped;
    bool whole = ch[c].kind != NOTIFY_ALERTMANAGER && !single;
    enum status st = ST_OK;
    for (size_t from = 0, taken; from < n && st == ST_OK; from += taken) {
        size_t left = n - from;
        m->at = (const struct alert_entry *const *)(list + from);
        m->n = single ? 1 : left < NOTIFY_ALERTS_MAX ? left : NOTIFY_ALERTS_MAX;
        m->more = whole ? left - m->n : 0;
        taken = m->n + m->more;
        st = send_one(t, c, m);
        for (size_t i = from; st == ST_OK && i < from + taken; i++)
            alert_told(&list[i]->a, c);
        enum status saved = save(t);
        st = saved == ST_OK ? st : saved;
    }
    return st;
}

/* What channel c has yet to hear about this change. */
static size_t collect(const struct turn *t, unsigned c, enum alert_change change,
                      struct alert_entry **list)
{
    size_t n = 0;
    for (size_t i = 0; i < t->set.n; i++) {
        struct alert_entry *e = t->set.at[i];
        if (alert_owed(&e->a, c) == change && !held(t, e))
            list[n++] = e;
    }
    return n;
}

/* What channel c knows to be firing. */
static size_t collect_known(const struct turn *t, unsigned c, struct alert_entry **list)
{
    size_t n = 0;
    for (size_t i = 0; i < t->set.n; i++)
        if (t->set.at[i]->a.phase == ALERT_FIRING && t->set.at[i]->a.told >> c & 1)
            list[n++] = t->set.at[i];
    return n;
}

/*
 * The first of the list changed so recently that others may yet follow it: a network that
 * fails silences its agents within a minute, not within one look. Alertmanager gathers
 * what begins by itself, and says at once what began longer ago than it waits: it hears
 * of that right away. What ends it says whenever its interval is over, so it gets ends
 * together.
 */
static bool gathering(const struct turn *t, enum notify_kind kind,
                      enum alert_change change, struct alert_entry *const *list, size_t n)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < n; i++) {
        const struct alert *a = &list[i]->a;
        int64_t at = change == ALERT_FIRED ? a->fired_ms : a->since_ms;
        first = at < first ? at : first;
    }
    return n && t->row->grouped &&
           !(kind == NOTIFY_ALERTMANAGER && change == ALERT_FIRED) &&
           t->run->now_ms - first < t->run->job->source.config->group_wait_ms;
}

/* Firing alerts that channel c was told of and that somebody has acknowledged since; of
 * an incident that is a whole rule's, all of them or none. */
static size_t collect_acked(const struct turn *t, unsigned c, struct alert_entry **list)
{
    size_t n = 0;
    bool news = false;
    for (size_t i = 0; i < t->set.n; i++) {
        struct alert_entry *e = t->set.at[i];
        if (e->a.phase != ALERT_FIRING || !(e->a.told >> c & 1))
            continue;
        bool heard = e->a.acked >> c & 1;
        bool acked = silence_acked(t->run->job->silences, t->row->name, severity_of(t), e,
                                   t->run->now_ms);
        if (t->row->grouped && !acked && !heard)
            return 0;
        news = news || (acked && !heard);
        if (acked && !heard)
            list[n++] = e;
    }
    return news ? n : 0;
}

/* PagerDuty pages on until an incident is acknowledged there. */
static enum status acknowledge(struct turn *t, unsigned c, struct notify_message *m,
                               struct alert_entry **list)
{
    size_t n = collect_acked(t, c, list);
    enum status st = ST_OK;
    for (size_t from = 0, taken; from < n && st == ST_OK; from += taken) {
        taken = t->row->grouped ? n : 1;
        m->at = (const struct alert_entry *const *)(list + from);
        m->n = 1; /* an acknowledgement names the incident alone */
        m->more = taken - 1;
        st = send_one(t, c, m);
        for (size_t i = from; st == ST_OK && i < from + taken; i++)
            list[i]->a.acked |= (uint64_t)1 << c;
        enum status saved = save(t);
        st = saved == ST_OK ? st : saved;
    }
    return st;
}

static int64_t lasts_ms(const struct run *run)
{
    int64_t looks = 4 * run->job->source.config->evaluate_ms;
    return looks > RESEND_LASTS_MS ? looks : RESEND_LASTS_MS;
}

static struct notify_message message(const struct turn *t, bool firing_now)
{
    const struct run *run = t->run;
    return (struct notify_message){ .rule = t->row->name,
                                    .severity = severity_of(t),
                                    .firing = firing_now,
                                    .grouped = t->row->grouped,
                                    .now_ms = run->now_ms,
                                    .ends_ms = run->now_ms + lasts_ms(run),
                                    .external_url = run->job->external_url,
                                    .page = t->row->page };
}

static enum status deliver(struct turn *t, unsigned c)
{
    static const enum alert_change changes[] = { ALERT_FIRED, ALERT_RESOLVED };
    const struct run *run = t->run;
    const struct notify_channel *ch = run->job->source.config->channels.at;
    struct alert_entry **list =
        arena_alloc(t->set.arena, (t->set.n + 1) * sizeof(struct alert_entry *));
    if (!list)
        return ST_NOMEM;
    if (run->now_ms < t->set.retry[c].next_ms)
        return ST_OK;
    bool again = ch[c].kind == NOTIFY_ALERTMANAGER &&
                 run->now_ms - run->job->memory->resent_ms[c] >= RESEND_MS;
    enum status st = ST_OK;
    for (size_t i = 0; i < 2 && st == ST_OK; i++) {
        struct notify_message m = message(t, changes[i] == ALERT_FIRED);
        size_t n = collect(t, c, changes[i], list);
        if (gathering(t, (enum notify_kind)ch[c].kind, changes[i], list, n))
            n = 0;
        if (m.firing && again)
            n += collect_known(t, c, list + n);
        m.still = firing(&t->set) - (m.firing ? n : 0);
        st = send_list(t, c, &m, list, n);
    }
    if (st == ST_OK && ch[c].kind == NOTIFY_PAGERDUTY) {
        struct notify_message m = message(t, true);
        m.acked = true;
        st = acknowledge(t, c, &m, list);
    }
    return st == ST_BUSY ? ST_OK : st;
}

/* --- a rule ---------------------------------------------------------------------------
 */

/* What a restart must not forget, as one number. */
static uint64_t digest(const struct alert_set *s)
{
    uint64_t h = s->n;
    for (size_t i = 0; i < s->n; i++)
        h = slice_hash(slice_of(&s->at[i]->a, sizeof s->at[i]->a), h);
    return h;
}

static void step(struct turn *t)
{
    const struct alert_rule rule = { t->rc->for_ms, t->rc->resolve_ms };
    for (size_t i = 0; i < t->set.n; i++) {
        struct alert_entry *e = t->set.at[i];
        if (e->condition == ALERT_UNKNOWN)
            continue;
        enum alert_change change =
            alert_step(&e->a, &rule, e->condition == ALERT_TRUE, t->run->now_ms);
        if (change != ALERT_NONE)
            log_info(t->run->job->log, "alert %s: %s: %.*s", t->row->name,
                     change == ALERT_FIRED ? "firing" : "resolved",
                     SLICE_FMT(e->summary));
    }
    alert_set_prune(&t->set, t->run->now_ms - RESOLVED_KEPT_MS);
}

static enum status look(struct run *run, const struct alert_rule_row *row)
{
    const struct alert_config *config = run->job->source.config;
    struct turn t = { .run = run, .row = row, .rc = alert_rule_config(config, row) };
    int64_t saved_s;
    alert_set_init(&t.set, &run->arena);
    enum status st = alert_job_load(run->job->source.store, row->name, &run->names,
                                    run->job->log, &t.set, &saved_s);
    if (st != ST_OK)
        return st;
    uint64_t before = digest(&t.set);
    bool any = t.set.n > 0;
    if (t.rc->enabled)
        row->judge(t.rc, &run->facts, &t.set);
    step(&t);
    bool stale = run->now_ms - saved_s * 1000 >= REFRESH_MS && (any || t.set.n);
    if (t.set.st == ST_OK && (stale || digest(&t.set) != before))
        t.set.st = save(&t);
    for (unsigned c = 0; c < run->names.n && t.set.st == ST_OK; c++)
        t.set.st = deliver(&t, c);
    return t.set.st;
}

enum status alert_job_run(const struct alert_job *job, int64_t now_ms, double random01)
{
    const struct alert_config *config = job->source.config;
    struct run run = { .job = job, .now_ms = now_ms, .random01 = random01 };
    unsigned needs = 0;
    run.names = alert_job_names(config);
    arena_init(&run.arena, ARENA_BYTES);
    for (size_t r = 0; r < ALERT_RULES; r++)
        if (alert_rule_config(config, &alert_rules[r])->enabled)
            needs |= alert_rules[r].needs;
    enum status st =
        alert_facts_read(&job->source, needs, now_ms, &run.arena, &run.facts);
    for (size_t r = 0; r < ALERT_RULES && st == ST_OK; r++)
        st = look(&run, &alert_rules[r]);
    for (unsigned c = 0; c < run.names.n && st == ST_OK; c++)
        if (now_ms - job->memory->resent_ms[c] >= RESEND_MS)
            job->memory->resent_ms[c] = now_ms;
    arena_release(&run.arena);
    return st;
}
