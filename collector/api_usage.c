/* Rows of usage, whole or page by page: see api_usage.h; docs/collector.md. */
#include "collector/api_usage.h"

#include "collector/export.h"
#include "common/instant.h"

enum { DAY_S = 86400, LINK_MAX = 8192 };

/* --- what it may cost -----------------------------------------------------------------
 */

/*
 * Start of the first bucket that one answer does not reach; INT64_MAX: all of q can be
 * read at once. Daily rows are few; hourly rows count from the number on that few days of
 * any store have.
 */
static enum status reach(const struct collector *c, const struct store_query *q,
                         int64_t least_days, int64_t *out)
{
    int64_t first = store_bucket(q->from, STORE_DAY, q->offset_s);
    int64_t days = first + least_days * DAY_S, hour;
    *out = INT64_MAX;
    if (!store_reads_hours(q) || q->to <= days)
        return ST_OK;
    enum status st = store_reach(c->store, first, API_HOURLY_ROWS, &hour);
    hour = hour < days ? days : hour;
    if (st == ST_OK && hour < q->to)
        *out = store_bucket(hour, q->grain, q->offset_s);
    return st;
}

static void refuse_hours(struct api_reply *r, const char *more)
{
    api_error(r, 413,
              "this reads over %d hourly rows (grain hour, offset and agent need them): "
              "ask for less time%s",
              API_HOURLY_ROWS, more);
}

bool api_affordable(const struct collector *c, const struct store_query *q, int64_t days,
                    struct api_reply *r)
{
    int64_t until;
    enum status st = reach(c, q, days, &until);
    if (st != ST_OK)
        api_store_failed(r, st);
    else if (until != INT64_MAX)
        refuse_hours(r, "");
    return st == ST_OK && until == INT64_MAX;
}

/* --- pages ----------------------------------------------------------------------------
 */

static void put_encoded(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char ch = (unsigned char)s.p[i];
        bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                     (ch >= '0' && ch <= '9') || (ch && strchr("-._~,:", ch));
        if (plain)
            buf_addc(b, (char)ch);
        else
            buf_addf(b, "%%%02X", ch);
    }
}

/* The same question, from `next` on. False: its filters are too long for a header. */
static bool link_next(const struct api_request *q, int64_t next, struct buf *link)
{
    buf_addf(link, "<%.*s?from=", SLICE_FMT(q->path));
    instant_format(next * 1000000000, link);
    for (size_t i = 0; i < q->params; i++) {
        if (slice_eq(q->param[i].name, SLICE("from")))
            continue;
        buf_addc(link, '&');
        put_encoded(link, q->param[i].name);
        buf_addc(link, '=');
        put_encoded(link, q->param[i].value);
    }
    buf_adds(link, ">; rel=\"next\"");
    return link->n <= LINK_MAX;
}

/* `limit` of the request, or 0 without one; false: *r is the 400. */
static bool read_limit(const struct api_request *q, size_t *out, struct api_reply *r)
{
    struct slice asked = api_param(q, "limit");
    uint64_t n = 0;
    *out = 0;
    if (!asked.p)
        return true;
    if (!slice_u64(asked, &n) || n < 1 || n > API_ROWS) {
        api_error(r, 400, "limit is a number from 1 to %d", API_ROWS);
        return false;
    }
    *out = (size_t)n;
    return true;
}

/* --- usage ----------------------------------------------------------------------------
 */

static const char by_pages[] =
    ", group by less, or add limit= and follow the Link header (rel=\"next\")";

/* Rows on their way out; where they end and the next page begins. */
struct page {
    struct export out;
    size_t rows, most;
    int64_t last, next;
};

static enum status put_row(void *arg, const struct query_row *row)
{
    struct page *p = arg;
    if (p->rows >= p->most && row->time != p->last) {
        p->next = row->time;
        return ST_END;
    }
    p->rows++;
    p->last = row->time;
    export_row(&p->out, row);
    return p->out.out->st;
}

/* Rows are written as they come: what an answer may hold need not be held twice. */
static enum status write_page(const struct collector *c, const struct api_request *q,
                              const struct store_query *sq, enum export_format format,
                              struct page *p, struct buf *body)
{
    struct store_status store; /* pages of one question have the same columns */
    enum status st = store_get_status(c->store, &store);
    if (st != ST_OK)
        return st;
    export_open(&p->out, sq->group, sq->grain, format, store.fields, body);
    st = query_groups(c->store, c->book, sq, q->arena, put_row, p);
    export_close(&p->out);
    return st;
}

void api_usage(const struct collector *c, const struct api_request *q,
               struct api_reply *r)
{
    struct store_query sq;
    enum export_format format = EXPORT_JSON;
    struct slice asked = api_param(q, "format");
    size_t limit;
    int64_t until;
    if (asked.p && !export_format_parse(asked, &format))
        return api_error(r, 400, "format is json or csv");
    if (!read_limit(q, &limit, r) ||
        !api_query(q, q->route == ROUTE_USAGE_HOURLY ? STORE_HOUR : STORE_DAY, &sq, r))
        return;
    enum status st = reach(c, &sq, API_HOURLY_DAYS, &until);
    if (st != ST_OK)
        return api_store_failed(r, st);
    if (until != INT64_MAX && (!limit || until <= sq.from))
        return refuse_hours(r, limit ? " or a finer grain" : by_pages);
    sq.to = until < sq.to ? until : sq.to;
    struct page p = { .most = limit ? limit : API_ROWS, .next = until };
    st = write_page(c, q, &sq, format, &p, &r->body);
    r->content_type = export_content_type(format);
    if (st != ST_OK)
        api_store_failed(r, st);
    else if (p.next != INT64_MAX && !limit)
        api_error(r, 413, "more than %d rows: ask for less time%s", API_ROWS, by_pages);
    else if (p.next != INT64_MAX && !link_next(q, p.next, &r->link))
        api_error(r, 413, "the filters are too long to be asked page by page");
    if (r->status != 200)
        buf_reset(&r->link);
}

void api_unpriced(const struct collector *c, const struct api_request *q,
                  struct api_reply *r)
{
    struct store_query sq;
    struct query_result result;
    if (!api_query(q, STORE_TOTAL, &sq, r))
        return;
    sq.grain = STORE_TOTAL;
    sq.group = store_bit(STORE_provider) | store_bit(STORE_model);
    if (!api_affordable(c, &sq, API_HOURLY_DAYS, r))
        return;
    enum status st = query_usage(c->store, c->book, &sq, q->arena, &result);
    if (st != ST_OK)
        return api_store_failed(r, st);
    size_t n = 0;
    for (size_t i = 0; i < result.rows; i++)
        if (!query_priced(&result.row[i]))
            result.row[n++] = result.row[i];
    result.rows = n;
    export_usage(&result, STORE_TOTAL, EXPORT_JSON, &r->body);
}
