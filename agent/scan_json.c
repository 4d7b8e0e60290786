/* The output of `scan` for programs: JSON and CSV; see scan_out.h. */
#include "agent/scan_out_private.h"

#include "agent/scan_capture.h"

#include "common/instant.h"
#include "common/json.h"

/* Dollars as a JSON number: all 12 decimals that count, no trailing zeros. */
static void dollars(price_pico pico, struct buf *out)
{
    size_t first = out->n;
    price_format(pico, 12, out);
    while (out->n > first + 1 && out->p[out->n - 1] == '0')
        out->n--;
    if (out->n > first && out->p[out->n - 1] == '.')
        out->n--;
}

/* --- one call -------------------------------------------------------------------------
 */

static void text_field(struct json_out *o, const char *key, struct slice s)
{
    json_key(o, key);
    if (s.n)
        json_str(o, s);
    else
        json_null(o);
}

static void count_fields(struct json_out *o, const struct usage *u, enum usage_kind kind)
{
    for (unsigned f = 0; f < USAGE_N; f++) {
        if (usage_fields[f].kind != kind)
            continue;
        bool always = kind == USAGE_KIND_CLASS || f == USAGE_reasoning;
        if (!always && !usage_has(u, (enum usage_field)f))
            continue;
        json_key(o, usage_fields[f].name);
        if (usage_has(u, (enum usage_field)f))
            json_u64(o, u->v[f]);
        else
            json_null(o);
    }
}

/* Ours, and what the provider stated. */
static void cost_fields(struct json_out *o, const struct usage *u,
                        const struct price_cost *cost)
{
    bool whole = cost && cost->priced && !(cost->unpriced & ((1u << USAGE_CLASSES) - 1));
    json_key(o, "cost_usd");
    if (whole) {
        json_raw(o, slice_of("", 0));
        dollars(cost->pico, o->b);
    } else {
        json_null(o);
    }
    json_key(o, "priced");
    json_bool(o, whole);
    if (usage_has(u, USAGE_cost_pico)) {
        json_key(o, "stated_usd");
        json_raw(o, slice_of("", 0));
        dollars(u->v[USAGE_cost_pico], o->b);
    }
    if (!cost || !cost->priced || !cost->unpriced)
        return;
    json_key(o, "unpriced");
    json_open(o, '[');
    for (unsigned f = 0; f < USAGE_N; f++)
        if (cost->unpriced >> f & 1)
            json_str(o, slice_str(usage_fields[f].name));
    json_close(o, ']');
}

static void name_fields(struct json_out *o, const struct usage *u)
{
    json_key(o, "ts");
    if (u->ts_ns == USAGE_NO_TIME) {
        json_null(o);
    } else {
        json_raw(o, SLICE("\""));
        instant_format(u->ts_ns, o->b);
        buf_addc(o->b, '"');
    }
    text_field(o, "provider", u->provider);
    text_field(o, "surface", u->surface);
    text_field(o, "model", u->model);
    text_field(o, "model_request", u->model_request);
    text_field(o, "response_id", u->response_id);
    text_field(o, "tier", u->tier);
    json_key(o, "status");
    if (u->status)
        json_u64(o, u->status);
    else
        json_null(o);
    text_field(o, "outcome", slice_str(usage_outcome_name(u->outcome)));
}

/* A number that is negative when it is not known. */
static void known_field(struct json_out *o, const char *key, int64_t v)
{
    json_key(o, key);
    if (v < 0)
        json_null(o);
    else
        json_i64(o, v);
}

static void origin_fields(struct json_out *o, const struct http_origin *from,
                          const struct usage *u)
{
    text_field(o, "client", from->client);
    text_field(o, "server", from->server);
    known_field(o, "stream", from->stream);
    text_field(o, "tls", slice_str(from->tls));
    known_field(o, "ttfb_us", u->ttfb_us);
    known_field(o, "ttft_us", u->ttft_us);
    known_field(o, "total_us", u->total_us);
    known_field(o, "retries", from->notes->retry);
    known_field(o, "requests_left", from->notes->left_requests);
    known_field(o, "tokens_left", from->notes->left_tokens);
}

void scan_out_call(const struct scan_call *c, struct buf *out)
{
    struct json_out o = { .b = out };
    const struct usage *u = c->u;
    bool again = c->verdict == DEDUP_AGAIN && u->accounting == ACCOUNTING_CALL;
    json_open(&o, '{');
    name_fields(&o, u);
    text_field(
        &o, "accounting",
        slice_str(usage_accounting_name(again ? ACCOUNTING_REPORT : u->accounting)));
    text_field(&o, "quality", slice_str(usage_quality_name(u->quality)));
    text_field(&o, "usage_source", slice_str(usage_source_name(u->usage_source)));
    count_fields(&o, u, USAGE_KIND_CLASS);
    count_fields(&o, u, USAGE_KIND_SUBSET);
    json_key(&o, "units");
    json_open(&o, '{');
    count_fields(&o, u, USAGE_KIND_UNIT);
    json_close(&o, '}');
    json_key(&o, "total_reported");
    if (u->total_reported != UINT64_MAX)
        json_u64(&o, u->total_reported);
    else
        json_null(&o);
    text_field(&o, "check", slice_str(usage_check_name(u->check)));
    cost_fields(&o, u, c->cost);
    text_field(&o, "file", c->file);
    json_key(&o, "line");
    if (c->origin)
        json_null(&o);
    else
        json_u64(&o, c->line);
    if (c->origin)
        origin_fields(&o, c->origin, u);
    if (c->origin && c->origin->delivered && c->origin->delivered->agg_n) {
        json_key(&o, "delivered");
        json_open(&o, '{');
        known_field(&o, "calls", c->origin->delivered->agg_n);
        count_fields(&o, c->origin->delivered, USAGE_KIND_CLASS);
        json_close(&o, '}');
    }
    if (c->verdict == DEDUP_NEW && u->agg_n != 1)
        known_field(&o, "calls", u->agg_n);
    if (c->verdict != DEDUP_NEW)
        text_field(&o, "repeat",
                   c->verdict == DEDUP_GROWN ? SLICE("grown") : SLICE("again"));
    json_close(&o, '}');
    buf_addc(out, '\n');
}

/* --- JSON and CSV ---------------------------------------------------------------------
 */

static void number_field(struct json_out *o, const char *key, uint64_t v)
{
    json_key(o, key);
    json_u64(o, v);
}

static void money_field(struct json_out *o, const char *key, price_pico v)
{
    json_key(o, key);
    json_raw(o, slice_of("", 0));
    dollars(v, o->b);
}

static void sum_fields(struct json_out *o, const struct tally_sum *s)
{
    json_key(o, "calls");
    json_u64(o, s->calls);
    for (unsigned f = 0; f < USAGE_N; f++) {
        if (f >= USAGE_CLASSES && f != USAGE_reasoning && s->v[f] == 0)
            continue;
        json_key(o, usage_fields[f].name);
        json_u64(o, s->v[f]);
    }
    json_key(o, "cost_usd");
    if (nothing_priced(s)) {
        json_null(o);
    } else {
        json_raw(o, slice_of("", 0));
        dollars(s->pico, o->b);
    }
    json_key(o, "priced");
    json_bool(o, s->unpriced == 0);
    if (s->v[USAGE_cost_calls]) {
        money_field(o, "stated_usd", s->v[USAGE_cost_pico]);
        number_field(o, "compared_calls", s->stated.calls);
        money_field(o, "compared_stated_usd", s->stated.theirs);
        money_field(o, "compared_cost_usd", s->stated.ours);
    }
    json_key(o, "unpriced_calls");
    json_u64(o, s->unpriced_calls);
    json_key(o, "estimated_calls");
    json_u64(o, s->estimated);
    if (s->estimated) {
        number_field(o, "estimated_input", inputs(s->guessed));
        number_field(o, "estimated_output", s->guessed[USAGE_output]);
        money_field(o, "estimated_cost_usd", s->guessed_pico);
    }
    json_key(o, "missing_calls");
    json_u64(o, s->missing);
}

static void json_row(void *arg, const struct tally_sum *s)
{
    struct json_out *o = arg;
    json_open(o, '{');
    json_key(o, "day");
    if (s->day == USAGE_NO_TIME) {
        json_null(o);
    } else {
        json_raw(o, SLICE("\""));
        instant_format_day(s->day, o->b);
        buf_addc(o->b, '"');
    }
    text_field(o, "provider", s->provider);
    text_field(o, "model", s->model);
    sum_fields(o, s);
    json_close(o, '}');
}

static void json_report(struct json_out *o, const struct scan_report *r)
{
    json_key(o, "read");
    json_open(o, '{');
    number_field(o, "files", r->files);
    number_field(o, "bytes", r->bytes);
    number_field(o, "lines", r->lines.lines);
    number_field(o, "records", r->log.records);
    json_close(o, '}');
    json_key(o, "records");
    json_open(o, '{');
    for (unsigned a = ACCOUNTING_CALL; a <= ACCOUNTING_ERROR; a++)
        number_field(o, usage_accounting_name((enum accounting)a), r->accountings[a]);
    number_field(o, "repeated", r->again);
    number_field(o, "grown", r->grown);
    number_field(o, "time_guessed", r->log.time_guessed);
    number_field(o, "forgotten", r->forgotten);
    number_field(o, "window_bytes", r->window_bytes);
    json_close(o, '}');
    json_key(o, "skipped");
    json_open(o, '{');
    number_field(o, "too_long", r->lines.too_long + r->log.too_long);
    number_field(o, "not_json", r->log.not_json);
    number_field(o, "torn", r->log.torn);
    number_field(o, "metric_points", r->log.points_dropped);
    number_field(o, "no_record", r->log.no_record);
    number_field(o, "not_text_files", r->not_text);
    number_field(o, "unreadable_files", r->unreadable);
    number_field(o, "outside_dates", r->outside);
    number_field(o, "out_of_memory", r->lost);
    json_close(o, '}');
}

void scan_out_json(struct tally *t, const struct scan_report *r,
                   const struct scan_problem *problems, size_t n, struct buf *out)
{
    struct json_out o = { .b = out };
    struct tally_sum total;
    tally_total(t, &total);
    json_open(&o, '{');
    json_key(&o, "rows");
    json_open(&o, '[');
    tally_each(t, true, json_row, &o);
    json_close(&o, ']');
    json_key(&o, "totals");
    json_open(&o, '{');
    sum_fields(&o, &total);
    json_close(&o, '}');
    json_report(&o, r);
    if (r->capture) {
        struct buf capture = { 0 };
        scan_capture_json(r->capture, &capture);
        json_key(&o, "capture");
        json_raw(&o, buf_slice(&capture));
        buf_release(&capture);
    }
    json_key(&o, "problems");
    json_open(&o, '[');
    for (size_t i = 0; i < n; i++) {
        json_open(&o, '{');
        text_field(&o, "file", slice_str(problems[i].path));
        text_field(&o, "why", slice_str(problems[i].why));
        json_close(&o, '}');
    }
    json_close(&o, ']');
    json_close(&o, '}');
    buf_addc(out, '\n');
}

static void csv_row(void *arg, const struct tally_sum *s)
{
    struct buf *out = arg;
    if (s->day != USAGE_NO_TIME)
        instant_format_day(s->day, out);
    buf_addc(out, ',');
    buf_add_csv(out, s->provider);
    buf_addc(out, ',');
    buf_add_csv(out, s->model);
    buf_addc(out, ',');
    buf_addu(out, s->calls);
    for (unsigned f = 0; f <= USAGE_reasoning; f++) {
        buf_addc(out, ',');
        buf_addu(out, s->v[f]);
    }
    buf_addc(out, ',');
    if (!nothing_priced(s))
        dollars(s->pico, out);
    buf_addf(out, ",%s,", s->unpriced ? "false" : "true");
    buf_addu(out, s->estimated);
    buf_addc(out, ',');
    buf_addu(out, s->missing);
    buf_adds(out, "\r\n");
}

void scan_out_csv(struct tally *t, struct buf *out)
{
    buf_adds(out, "day,provider,model,calls");
    for (unsigned f = 0; f <= USAGE_reasoning; f++)
        buf_addf(out, ",%s", usage_fields[f].name);
    buf_adds(out, ",cost_usd,priced,estimated_calls,missing_calls\r\n");
    tally_each(t, true, csv_row, out);
}
