/* Answers of the API: see api.h; docs/collector.md is its reference. */
#include "collector/api.h"

#include "collector/api_alerts.h"
#include "collector/api_compare.h"
#include "collector/api_forecast.h"
#include "collector/api_page.h"
#include "collector/api_usage.h"
#include "collector/metrics.h"
#include "collector/writer.h"
#include "common/instant.h"
#include "common/json.h"

#include <stdarg.h>
#include <stdio.h>

enum { FILTERS_MAX = 64, DEFAULT_DAYS = 30 };

void api_error(struct api_reply *r, unsigned status, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    r->status = status;
    r->content_type = "application/json";
    r->fixed = (struct slice){ 0 };
    buf_reset(&r->body);
    struct json_out o = { .b = &r->body };
    json_open(&o, '{');
    json_key(&o, "error");
    json_str(&o, slice_str(text));
    json_close(&o, '}');
}

struct slice api_param(const struct api_request *q, const char *name)
{
    for (size_t i = 0; i < q->params; i++)
        if (slice_eq(q->param[i].name, slice_str(name)))
            return q->param[i].value.p ? q->param[i].value : SLICE("");
    return (struct slice){ 0 };
}

void api_store_failed(struct api_reply *r, enum status st)
{
    if (st == ST_LIMIT)
        api_error(r, 413, "the answer is too large: group by less, or ask for less time");
    else
        api_error(r, 503, "the store cannot be read: %s", status_name(st));
}

/* --- parameters -----------------------------------------------------------------------
 */

/* A date alone as `to` includes that day; an instant is exclusive. */
static bool read_time(struct slice s, bool end, int64_t *out)
{
    int64_t ns;
    if (instant_day(s, &ns))
        *out = ns / 1000000000 + (end ? 86400 : 0);
    else if (instant_parse(s, &ns))
        *out = ns / 1000000000;
    else
        return false;
    return true;
}

/* "+02:00", "-05:30", "2"; a '+' may have become a blank on its way. */
static bool read_offset(struct slice s, int32_t *out)
{
    struct slice hours, minutes;
    uint64_t h, m = 0;
    bool minus = s.n && s.p[0] == '-';
    if (s.n && (minus || s.p[0] == '+' || s.p[0] == ' '))
        s = slice_from(s, 1);
    bool both = slice_cut(s, ':', &hours, &minutes);
    if (!slice_u64(hours, &h) || (both && !slice_u64(minutes, &m)) || h > 14 || m > 59)
        return false;
    *out = (int32_t)(h * 3600 + m * 60) * (minus ? -1 : 1);
    return true;
}

static bool read_group(struct slice s, uint32_t *group)
{
    for (bool more = s.n > 0; more;) {
        struct slice one;
        enum store_dim d;
        more = slice_cut(s, ',', &one, &s);
        if (!store_dim_parse(slice_trim(one), &d))
            return false;
        *group |= store_bit(d);
    }
    return true;
}

static bool add_filter(const struct api_request *q, struct store_query *out,
                       struct slice name, struct slice value)
{
    struct store_filter *f = (struct store_filter *)(uintptr_t)out->filter;
    enum store_dim d;
    if (!store_dim_parse(name, &d))
        return false;
    if (!f)
        f = arena_alloc(q->arena, q->params * sizeof *f);
    if (!f)
        return false;
    f[out->filters++] = (struct store_filter){ d, value };
    out->filter = f;
    return true;
}

/* One parameter into the query; NULL, or what is wrong with it. */
static const char *take_param(const struct api_request *q, const struct api_param *p,
                              struct store_query *out)
{
    struct slice v = p->value;
    if (slice_eq(p->name, SLICE("from")))
        return read_time(v, false, &out->from) ? NULL : "from is not a time";
    if (slice_eq(p->name, SLICE("to")))
        return read_time(v, true, &out->to) ? NULL : "to is not a time";
    if (slice_eq(p->name, SLICE("group_by")))
        return read_group(v, &out->group) ? NULL : "group_by: unknown dimension";
    if (slice_eq(p->name, SLICE("grain")))
        return store_grain_parse(v, &out->grain)
                   ? NULL
                   : "grain is total, hour, day, week or month";
    if (slice_eq(p->name, SLICE("offset")))
        return read_offset(v, &out->offset_s) ? NULL : "offset is like +02:00";
    if (slice_eq(p->name, SLICE("format")) || slice_eq(p->name, SLICE("limit")) ||
        slice_starts(p->name, SLICE("_")))
        return NULL;
    return add_filter(q, out, p->name, v) ? NULL : "unknown parameter";
}

/* A date alone is a day of the zone asked for, which may be known only now. */
static void shift_date(const struct api_request *q, const char *name, int32_t offset_s,
                       int64_t *at)
{
    int64_t ns;
    if (instant_day(api_param(q, name), &ns))
        *at -= offset_s;
}

bool api_query(const struct api_request *q, enum store_grain grain,
               struct store_query *out, struct api_reply *r)
{
    *out = (struct store_query){ .grain = grain, .from = INT64_MIN, .to = q->now_s + 1 };
    for (size_t i = 0; i < q->params; i++) {
        const struct api_param *p = &q->param[i];
        const char *why = take_param(q, p, out);
        if (why) {
            api_error(r, 400, "%s: %.*s=%.*s", why, SLICE_FMT(slice_head(p->name, 100)),
                      SLICE_FMT(slice_head(p->value, 100)));
            return false;
        }
    }
    shift_date(q, "from", out->offset_s, &out->from);
    shift_date(q, "to", out->offset_s, &out->to);
    if (out->from == INT64_MIN)
        out->from = store_bucket(out->to - INT64_C(86400) * DEFAULT_DAYS, STORE_DAY, 0);
    if (out->from >= out->to) {
        api_error(r, 400, "from is not before to");
        return false;
    }
    return true;
}

/* --- names ----------------------------------------------------------------------------
 */

static enum status put_value(void *arg, struct slice v)
{
    json_str(arg, v);
    return ((struct json_out *)arg)->b->st;
}

static void dimension(const struct collector *c, const struct api_request *q,
                      struct api_reply *r)
{
    enum store_dim d;
    struct json_out o = { .b = &r->body };
    if (!store_dim_parse(q->rest, &d))
        return api_error(r, 404, "no such dimension");
    json_open(&o, '[');
    enum status st = store_values(c->store, d, put_value, &o);
    json_close(&o, ']');
    if (st != ST_OK)
        api_store_failed(r, st);
}

/* --- agents and status ----------------------------------------------------------------
 */

static void put_key_time(struct json_out *o, const char *key, int64_t at_s)
{
    struct buf b = { 0 };
    json_key(o, key);
    if (at_s) {
        instant_format(at_s * 1000000000, &b);
        json_str(o, buf_slice(&b));
    } else {
        json_null(o);
    }
    buf_release(&b);
}

static void put_key_u64(struct json_out *o, const char *key, uint64_t v)
{
    json_key(o, key);
    json_u64(o, v);
}

struct agents_out {
    struct json_out o;
    int64_t now_s;
};

static enum status put_agent(void *arg, const struct store_agent *a)
{
    struct agents_out *out = arg;
    struct json_out *o = &out->o;
    json_open(o, '{');
    json_key(o, "name");
    json_str(o, slice_str(a->name));
    json_key(o, "version");
    json_str(o, slice_str(a->version));
    put_key_time(o, "first_seen", a->first_seen);
    put_key_time(o, "last_seen", a->last_seen);
    json_key(o, "silent_s");
    json_i64(o, out->now_s - a->last_seen);
    json_key(o, "skew_ms");
    json_i64(o, a->skew_ms);
    put_key_u64(o, "epoch", a->epoch);
    put_key_u64(o, "seq", a->seq);
    put_key_u64(o, "batches", a->batches);
    put_key_u64(o, "rows", a->rows);
    put_key_u64(o, "newer_kept", a->newer_kept);
    put_key_u64(o, "refused", a->refused);
    json_key(o, "health");
    json_raw(o, *a->health ? slice_str(a->health) : SLICE("{}"));
    json_close(o, '}');
    return o->b->st;
}

static void agents(const struct collector *c, const struct api_request *q,
                   struct api_reply *r)
{
    struct agents_out out = { .o = { .b = &r->body }, .now_s = q->now_s };
    json_open(&out.o, '[');
    enum status st = store_agents(c->store, put_agent, &out);
    json_close(&out.o, ']');
    if (st != ST_OK)
        api_store_failed(r, st);
}

static void status(const struct collector *c, const struct api_request *q,
                   struct api_reply *r)
{
    struct store_status s;
    struct json_out o = { .b = &r->body };
    enum status st = store_get_status(c->store, &s);
    if (st != ST_OK)
        return api_store_failed(r, st);
    json_open(&o, '{');
    json_key(&o, "version");
    json_str(&o, SLICE(BREAKEVEN_VERSION));
    put_key_time(&o, "started", c->started_s);
    put_key_time(&o, "now", q->now_s);
    json_key(&o, "writes");
    json_str(&o, writer_stuck(c->writer) ? SLICE("failing") : SLICE("ok"));
    json_key(&o, "store");
    json_open(&o, '{');
    json_key(&o, "engine");
    json_str(&o, slice_str(s.engine));
    put_key_u64(&o, "schema", s.schema);
    put_key_u64(&o, "series", s.series);
    put_key_u64(&o, "bytes", s.bytes);
    put_key_u64(&o, "wal_bytes", s.wal_bytes);
    put_key_time(&o, "oldest_hour", s.oldest_hour);
    put_key_time(&o, "newest_hour", s.newest_hour);
    put_key_time(&o, "oldest_day", s.oldest_day);
    json_close(&o, '}');
    json_close(&o, '}');
}

/* --- results that others keep ---------------------------------------------------------
 */

static enum status put_record(void *arg, const struct store_record *rec)
{
    struct json_out *o = arg;
    json_open(o, '{');
    json_key(o, "key");
    json_str(o, slice_str(rec->key));
    put_key_time(o, "at", rec->at);
    json_key(o, "result");
    json_raw(o, slice_str(rec->json));
    json_close(o, '}');
    return o->b->st;
}

static void records(const struct collector *c, struct api_reply *r, const char *kind,
                    const char *key, unsigned newest)
{
    struct json_out o = { .b = &r->body };
    json_open(&o, '[');
    enum status st = store_record_list(c->store, kind, key, newest, put_record, &o);
    json_close(&o, ']');
    if (st != ST_OK)
        api_store_failed(r, st);
}

/* Those of the workload that the path names; `newest`: only so many. */
static void records_of(const struct collector *c, const struct api_request *q,
                       struct api_reply *r, const char *kind)
{
    struct slice key = arena_dup(q->arena, q->rest); /* NUL-terminated */
    struct slice asked = api_param(q, "newest");
    uint64_t newest = 0;
    if (!key.p)
        return api_store_failed(r, ST_LIMIT);
    if (asked.p && (!slice_u64(asked, &newest) || newest > 100000))
        return api_error(r, 400, "newest is a number");
    records(c, r, kind, key.p, (unsigned)newest);
}

static void projections(const struct collector *c, const struct api_request *q,
                        struct api_reply *r)
{
    (void)q;
    records(c, r, "projection", NULL, 1);
}

static void projection(const struct collector *c, const struct api_request *q,
                       struct api_reply *r)
{
    records_of(c, q, r, "projection");
}

static void decisions(const struct collector *c, const struct api_request *q,
                      struct api_reply *r)
{
    (void)q;
    records(c, r, "decision", NULL, 1);
}

static void decision(const struct collector *c, const struct api_request *q,
                     struct api_reply *r)
{
    records_of(c, q, r, "decision");
}

/* What can be asked here. */
static void index_page(const struct collector *c, const struct api_request *q,
                       struct api_reply *r)
{
    struct json_out o = { .b = &r->body };
    const struct route *route;
    (void)c;
    (void)q;
    json_open(&o, '{');
    json_key(&o, "breakeven-collector");
    json_str(&o, SLICE(BREAKEVEN_VERSION));
    json_key(&o, "addresses");
    json_open(&o, '[');
    for (size_t i = 0; (route = route_at(i)) != NULL; i++) {
        struct buf line = { 0 };
        buf_addf(&line, "%s %s", route->method, route->path);
        json_str(&o, buf_slice(&line));
        buf_release(&line);
    }
    json_close(&o, ']');
    json_close(&o, '}');
}

/* --- is it well? ----------------------------------------------------------------------
 */

static void healthz(const struct collector *c, const struct api_request *q,
                    struct api_reply *r)
{
    (void)c;
    (void)q;
    buf_adds(&r->body, "{\"status\":\"ok\"}\n");
}

/* Ready: the store can be read, and the last write went through. */
static void readyz(const struct collector *c, const struct api_request *q,
                   struct api_reply *r)
{
    struct store_status s;
    enum status st = store_get_status(c->store, &s);
    if (st != ST_OK)
        return api_store_failed(r, st);
    if (writer_stuck(c->writer))
        return api_error(r, 503, "the store takes no writes");
    healthz(c, q, r);
}

static void metrics(const struct collector *c, const struct api_request *q,
                    struct api_reply *r)
{
    enum status st = metrics_render(c, q->now_s, q->arena, &r->body);
    r->content_type = "text/plain; version=0.0.4; charset=utf-8";
    if (st != ST_OK)
        api_store_failed(r, st);
}

/* --- table ----------------------------------------------------------------------------
 */

typedef void handler_fn(const struct collector *c, const struct api_request *q,
                        struct api_reply *r);

static const struct {
    enum route_id route;
    handler_fn *answer;
} handlers[] = {
    { ROUTE_USAGE_DAILY, api_usage },
    { ROUTE_USAGE_HOURLY, api_usage },
    { ROUTE_UNPRICED, api_unpriced },
    { ROUTE_DIMENSION, dimension },
    { ROUTE_AGENTS, agents },
    { ROUTE_STATUS, status },
    { ROUTE_METRICS, metrics },
    { ROUTE_HEALTHZ, healthz },
    { ROUTE_READYZ, readyz },
    { ROUTE_PROJECTIONS, projections },
    { ROUTE_DECISIONS, decisions },
    { ROUTE_DECISION, decision },
    { ROUTE_PROJECTION, projection },
    { ROUTE_ALERTS, api_alerts },
    { ROUTE_FORECAST, api_forecast },
    { ROUTE_BREAKEVEN, api_breakeven },
    { ROUTE_ALERT_RULES, api_alert_rules },
    { ROUTE_ALERT_CHANNELS, api_alert_channels },
    { ROUTE_SILENCES, api_silences },
    { ROUTE_SILENCE, api_silence },
    { ROUTE_ACK, api_silence },
    { ROUTE_UNSILENCE, api_silence },
    { ROUTE_SCORES, api_scores },
    { ROUTE_COMPARISONS, api_compare },
    { ROUTE_COMPARISON, api_compare },
    { ROUTE_INDEX, index_page },
    { ROUTE_PAGE, api_page },
    { ROUTE_WEB, api_page },
    { ROUTE_BREAKDOWN, api_breakdown },
    { ROUTE_PROFILE, api_profile },
    { ROUTE_WORKLOADS, api_workloads },
    { ROUTE_WHATIF, api_whatif },
};

void api_answer(const struct collector *c, const struct api_request *q,
                struct api_reply *r)
{
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
        if (handlers[i].route == q->route)
            return handlers[i].answer(c, q, r);
    api_error(r, 404, "no such address");
}
