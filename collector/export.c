/* Usage rows as JSON and CSV: see export.h. */
#include "collector/export.h"

#include "common/instant.h"
#include "common/json.h"

#include <stdio.h>

bool export_format_parse(struct slice name, enum export_format *out)
{
    *out = slice_eq(name, SLICE("csv")) ? EXPORT_CSV : EXPORT_JSON;
    return *out == EXPORT_CSV || slice_eq(name, SLICE("json"));
}

const char *export_content_type(enum export_format f)
{
    return f == EXPORT_CSV ? "text/csv; charset=utf-8" : "application/json";
}

/* --- cells ----------------------------------------------------------------------------
 */

/* Begin a cell. False: the header took it, there is no value to write. */
static bool cell(struct export *c, const char *name)
{
    if (!c->csv) {
        json_key(&c->json, name);
        return true;
    }
    if (!c->first)
        buf_addc(c->out, ',');
    c->first = false;
    if (c->head)
        buf_adds(c->out, name);
    return !c->head;
}

static void put_text(struct export *c, const char *name, struct slice v)
{
    if (!cell(c, name))
        return;
    if (c->csv)
        buf_add_csv(c->out, v);
    else
        json_str(&c->json, v);
}

static void put_count(struct export *c, const char *name, uint64_t v)
{
    if (!cell(c, name))
        return;
    if (c->csv)
        buf_addu(c->out, v);
    else
        json_u64(&c->json, v);
}

/* Whole seconds: 2026-11-02T10:00:00Z. */
static void put_time(struct export *c, const char *name, int64_t at)
{
    if (!cell(c, name))
        return;
    if (!*c->time || c->at != at) {
        buf_reset(&c->scratch);
        instant_format(at * 1000000000, &c->scratch);
        snprintf(c->time, sizeof c->time, "%.19sZ", buf_cstr(&c->scratch));
        c->at = at;
    }
    if (c->csv)
        buf_adds(c->out, c->time);
    else
        json_str(&c->json, slice_str(c->time));
}

static void put_money(struct export *c, const char *name, price_pico v, bool known)
{
    if (!cell(c, name))
        return;
    buf_reset(&c->scratch);
    if (known)
        price_format(v, 6, &c->scratch);
    if (c->csv)
        buf_add(c->out, buf_slice(&c->scratch));
    else if (known)
        json_raw(&c->json, buf_slice(&c->scratch));
    else
        json_null(&c->json);
}

static void put_bool(struct export *c, const char *name, bool v)
{
    if (!cell(c, name))
        return;
    if (c->csv)
        buf_adds(c->out, v ? "true" : "false");
    else
        json_bool(&c->json, v);
}

/* --- rows -----------------------------------------------------------------------------
 */

static uint64_t tokens_of(const uint64_t v[USAGE_N])
{
    uint64_t sum = 0;
    for (int f = 0; f < USAGE_CLASSES; f++)
        if (__builtin_add_overflow(sum, v[f], &sum))
            return UINT64_MAX;
    return sum;
}

/* "cache_read image_in": fields without a price. */
static void put_unpriced(struct export *c, const char *name, uint32_t fields)
{
    struct buf *b = &c->scratch;
    buf_reset(b);
    for (int f = 0; f < USAGE_N; f++)
        if (fields >> f & 1)
            buf_addf(b, "%s%s", b->n ? " " : "", usage_fields[f].name);
    put_text(c, name, buf_slice(b));
}

static void put_row(struct export *c, const struct query_row *r)
{
    const uint32_t fields = c->fields;
    size_t nth = 0;
    if (c->grain != STORE_TOTAL)
        put_time(c, "time", r->time);
    for (enum store_dim d = 0; d < STORE_DIMS; d++)
        if (c->group & store_bit(d))
            put_text(c, store_dim_name(d), c->head ? (struct slice){ 0 } : r->dim[nth++]);
    put_count(c, "calls", r->calls);
    for (int f = 0; f < USAGE_N; f++)
        if (f < USAGE_CLASSES || fields >> f & 1)
            put_count(c, usage_fields[f].name, r->v[f]);
    put_count(c, "tokens", tokens_of(r->v));
    put_count(c, "calls_estimated", r->calls_estimated);
    put_count(c, "calls_missing", r->calls_missing);
    put_count(c, "calls_failed", r->calls_failed);
    put_count(c, "peak_calls", r->peak_calls);
    put_count(c, "peak_tokens", r->peak_tokens);
    put_money(c, "cost_usd", r->cost, query_cost_known(r));
    put_bool(c, "priced", query_priced(r));
    if (fields >> USAGE_cost_calls & 1) {
        put_money(c, "stated_usd", r->v[USAGE_cost_pico], true);
        put_count(c, "compared_calls", r->stated.calls);
        put_money(c, "compared_stated_usd", r->stated.theirs, true);
        put_money(c, "compared_cost_usd", r->stated.ours, true);
    }
    put_count(c, "calls_unpriced", r->calls_unpriced);
    put_count(c, "tokens_unpriced", r->tokens_unpriced);
    put_unpriced(c, "fields_unpriced", r->unpriced);
}

void export_open(struct export *e, uint32_t group, enum store_grain grain,
                 enum export_format f, uint32_t fields, struct buf *out)
{
    static const struct query_row no_row = { 0 };
    *e = (struct export){ .out = out,
                          .json = { .b = out },
                          .grain = grain,
                          .group = group,
                          .fields = fields,
                          .csv = f == EXPORT_CSV,
                          .head = f == EXPORT_CSV };
    if (!e->csv) {
        json_open(&e->json, '[');
        return;
    }
    e->first = true;
    put_row(e, &no_row);
    buf_adds(out, "\r\n");
    e->head = false;
}

void export_row(struct export *e, const struct query_row *r)
{
    e->first = true;
    if (!e->csv)
        json_open(&e->json, '{');
    put_row(e, r);
    if (e->csv)
        buf_adds(e->out, "\r\n");
    else
        json_close(&e->json, '}');
}

void export_close(struct export *e)
{
    if (!e->csv) {
        json_close(&e->json, ']');
        buf_addc(e->out, '\n');
    }
    buf_release(&e->scratch);
}

void export_usage(const struct query_result *r, enum store_grain grain,
                  enum export_format f, struct buf *out)
{
    struct export e;
    uint32_t fields = 0;
    for (size_t i = 0; i < r->rows; i++)
        for (int v = 0; v < USAGE_N; v++)
            fields |= (uint32_t)(r->row[i].v[v] != 0) << v;
    export_open(&e, r->group, grain, f, fields, out);
    for (size_t i = 0; i < r->rows; i++)
        export_row(&e, &r->row[i]);
    export_close(&e);
}
