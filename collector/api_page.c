/* What the dashboard asks: see api_page.h; docs/dashboard.md. */
#include "collector/api_page.h"

#include "collector/api_usage.h"
#include "collector/breakdown.h"
#include "collector/profile.h"
#include "collector/projection/questions.h"
#include "collector/web.h"
#include "common/instant.h"
#include "common/json.h"
#include "common/json_pointer.h"

enum { PARAMS_KEPT = 64, BUSY_AGAIN_S = 1 };

/* --- files ----------------------------------------------------------------------------
 */

void api_page(const struct collector *c, const struct api_request *q, struct api_reply *r)
{
    struct slice name = q->route == ROUTE_PAGE ? SLICE("index.html") : q->rest;
    const struct web_asset *a = web_find(name);
    (void)c;
    if (!a)
        return api_error(r, 404, "no such file of the page");
    bool packed = web_accepts_gzip(q->accept_encoding);
    const struct web_bytes *b = packed ? &a->packed : &a->plain;
    r->content_type = a->type;
    r->encoding = packed ? "gzip" : NULL;
    r->etag = b->etag;
    r->fixed = slice_of(b->begin, (size_t)(b->end - b->begin));
}

/* --- usage ----------------------------------------------------------------------------
 */

/* The request without the parameters that api_query does not know. */
static bool query_without(const struct api_request *q, const char *const *skip,
                          enum store_grain grain, struct store_query *out,
                          struct api_reply *r)
{
    struct api_param kept[PARAMS_KEPT];
    struct api_request own = *q;
    own.param = kept;
    own.params = 0;
    for (size_t i = 0; i < q->params && own.params < PARAMS_KEPT; i++) {
        bool known = false;
        for (const char *const *s = skip; *s; s++)
            known = known || slice_eq(q->param[i].name, slice_str(*s));
        if (!known)
            kept[own.params++] = q->param[i];
    }
    return api_query(&own, grain, out, r);
}

struct breakdown_scan {
    struct breakdown *b;
    enum store_dim dim;
    bool classes;
};

static enum status scan_row(void *arg, const struct store_row *row,
                            const struct query_row *measures)
{
    const struct breakdown_scan *s = arg;
    struct slice name = s->classes ? (struct slice){ 0 } : store_row_dim(row, s->dim);
    uint32_t series = s->dim == STORE_AGENT ? 0 : row->series; /* not of the series */
    return breakdown_add(s->b, name, series, measures);
}

static const char *grain_name(enum store_grain g)
{
    static const char *const names[] = { "total", "hour", "day", "week", "month" };
    return names[g];
}

void api_breakdown(const struct collector *c, const struct api_request *q,
                   struct api_reply *r)
{
    static const char *const own[] = { "by", "order", NULL };
    struct breakdown_ask ask = { .lines = PAGE_SERIES, .rows = PAGE_ROWS };
    struct slice by = api_param(q, "by"), order = api_param(q, "order");
    struct store_query sq;
    enum store_dim d = STORE_model;
    ask.classes = slice_eq(by, SLICE("class"));
    if (by.n && !ask.classes && !store_dim_parse(by, &d))
        return api_error(r, 400, "by is a dimension or class");
    if (order.n && !breakdown_order_parse(order, &ask.order))
        return api_error(r, 400, "order is cost, tokens or calls");
    if (!query_without(q, own, STORE_DAY, &sq, r))
        return;
    sq.group = ask.classes ? 0 : store_bit(d);
    ask.by = ask.classes ? "class" : store_dim_name(d);
    ask.grain = grain_name(sq.grain);
    ask.from = sq.from;
    ask.to = sq.to;
    if (!api_affordable(c, &sq, API_HOURLY_DAYS, r))
        return;
    struct breakdown_scan s = { breakdown_new(&ask, q->arena), d, ask.classes };
    enum status st = s.b ? query_each(c->store, c->book, &sq, scan_row, &s) : ST_LIMIT;
    if (st == ST_OK)
        st = breakdown_json(s.b, &r->body);
    if (st != ST_OK)
        api_store_failed(r, st);
}

static void put_week(struct json_out *o, const char *key, const uint64_t v[168])
{
    json_key(o, key);
    json_open(o, '[');
    for (int h = 0; h < 168; h++)
        json_u64(o, v[h]);
    json_close(o, ']');
}

void api_profile(const struct collector *c, const struct api_request *q,
                 struct api_reply *r)
{
    struct store_query sq;
    struct query_profile p;
    struct json_out o = { .b = &r->body };
    if (!api_query(q, STORE_HOUR, &sq, r))
        return;
    sq.grain = STORE_HOUR;
    if (!api_affordable(c, &sq, API_PROFILE_DAYS, r))
        return;
    enum status st = query_profile(c->store, &sq, &p);
    if (st != ST_OK)
        return api_store_failed(r, st);
    json_open(&o, '{');
    put_week(&o, "calls", p.calls);
    put_week(&o, "tokens", p.tokens);
    put_week(&o, "hours", p.hours);
    json_key(&o, "peak_calls");
    json_u64(&o, p.peak_calls);
    json_key(&o, "peak_to_mean");
    json_num(&o, p.peak_to_mean);
    json_close(&o, '}');
}

/* --- workloads ------------------------------------------------------------------------
 */

/* The newest projection of each workload, collected before anything is written. */
struct newest {
    struct slice workload, json;
    struct newest *next;
};

struct newest_list {
    struct arena *arena;
    struct newest *first;
};

static enum status keep_newest(void *arg, const struct store_record *rec)
{
    struct newest_list *list = arg;
    struct newest *n = arena_alloc(list->arena, sizeof *n);
    if (!n)
        return ST_LIMIT;
    n->workload = arena_dup(list->arena, slice_str(rec->key));
    n->json = arena_dup(list->arena, slice_str(rec->json));
    n->next = list->first;
    list->first = n;
    return n->json.p && n->workload.p ? ST_OK : ST_LIMIT;
}

static void put_strings(struct json_out *o, const char *key, const struct yaml_strings *s)
{
    json_key(o, key);
    json_open(o, '[');
    for (size_t i = 0; i < s->n; i++)
        json_str(o, slice_str(s->at[i]));
    json_close(o, ']');
}

/* One scalar of the stored document as it stands there. */
static void copy_value(struct json_out *o, const char *key, struct slice doc,
                       const char *pointer)
{
    char hold[512];
    struct slice text;
    json_key(o, key);
    switch (json_pointer(doc, pointer, hold, sizeof hold, &text)) {
    case JSON_STRING:
        json_str(o, text);
        break;
    case JSON_NUMBER:
        json_raw(o, text);
        break;
    default:
        json_null(o);
    }
}

static void put_workload(struct json_out *o, const struct workload *w, struct slice doc)
{
    static const char *const shown[][2] = {
        { "at", "/at" },
        { "verdict", "/verdict" },
        { "reason", "/reason" },
        { "calls_per_day", "/calls_per_day" },
        { "usd_per_day", "/usd_per_day" },
        { "threshold_ratio", "/threshold_ratio" },
        { "crossing_q50", "/crossing/q50" },
        { "crossing_p12", "/crossing/p12" },
        { "payback_q50", "/payback/q50" },
        { "payback_p12", "/payback/p12" },
        { "saving12", "/saving12/median" },
    };
    json_open(o, '{');
    json_key(o, "name");
    json_str(o, slice_str(w->name));
    put_strings(o, "app", &w->app);
    put_strings(o, "environment", &w->environment);
    put_strings(o, "provider", &w->provider);
    put_strings(o, "model", &w->model);
    put_strings(o, "surface", &w->surface);
    json_key(o, "compare");
    json_bool(o, w->compare.line != 0);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        copy_value(o, shown[i][0], doc, shown[i][1]);
    json_close(o, '}');
}

void api_workloads(const struct collector *c, const struct api_request *q,
                   struct api_reply *r)
{
    const struct workload *w = c->config->workloads.at;
    struct newest_list list = { .arena = q->arena };
    struct json_out o = { .b = &r->body };
    enum status st =
        store_record_list(c->store, "projection", NULL, 1, keep_newest, &list);
    if (st != ST_OK)
        return api_store_failed(r, st);
    json_open(&o, '[');
    for (size_t i = 0; i < c->config->workloads.n; i++) {
        const struct newest *n = list.first;
        while (n && !slice_eq(n->workload, slice_str(w[i].name)))
            n = n->next;
        put_workload(&o, &w[i], n ? n->json : (struct slice){ 0 });
    }
    json_close(&o, ']');
}

/* --- what if --------------------------------------------------------------------------
 */

static bool read_change(const struct api_request *q, struct whatif *change,
                        struct api_reply *r)
{
    struct buf why = { 0 };
    bool fine = true;
    *change = whatif_none();
    for (size_t i = 0; i < q->params && fine; i++)
        if (!slice_starts(q->param[i].name, SLICE("_")))
            fine = whatif_set(change, q->param[i].name, q->param[i].value, &why) == ST_OK;
    if (!fine)
        api_error(r, 400, "%s", buf_cstr(&why));
    buf_release(&why);
    return fine;
}

static void answer_whatif(const struct collector *c, const struct api_request *q,
                          const struct workload *w, struct api_reply *r)
{
    const struct projection_job job = { .store = c->store,
                                        .prices = c->book,
                                        .config = &c->config->projection,
                                        .gpus = c->gpus,
                                        .now = q->now_s };
    struct whatif change;
    struct projection_result result;
    struct buf why = { 0 };
    if (!read_change(q, &change, r))
        return;
    enum status st =
        questions_ask(c->questions, &job, w, &change, q->arena, &result, &why);
    if (st == ST_OK) {
        projection_json(&result, &r->body);
    } else if (st == ST_BUSY) {
        api_error(r, 503, "others are asking what-if questions; try again");
        r->retry_after_s = BUSY_AGAIN_S;
    } else if (st == ST_CONFIG) {
        api_error(r, 422, "%s", buf_cstr(&why));
    } else {
        api_store_failed(r, st);
    }
    buf_release(&why);
}

void api_whatif(const struct collector *c, const struct api_request *q,
                struct api_reply *r)
{
    const struct workload *w = c->config->workloads.at;
    size_t i = 0;
    while (i < c->config->workloads.n && !slice_eq(slice_str(w[i].name), q->rest))
        i++;
    if (i == c->config->workloads.n)
        return api_error(r, 404, "no such workload");
    answer_whatif(c, q, &w[i], r);
}
