/* The output of `scan`: see scan_out.h. */
#include "agent/scan_out.h"

#include "agent/scan_capture.h"

#include "common/instant.h"
#include "common/json.h"

/* --- small pieces ---------------------------------------------------------------------
 */

static uint64_t cache_writes(const uint64_t v[USAGE_CLASSES])
{
    return v[USAGE_cache_write] + v[USAGE_cache_write_5m] + v[USAGE_cache_write_1h];
}

/* 1234567 as "1,234,567". */
static void grouped(uint64_t v, struct buf *out)
{
    char text[32];
    size_t at = sizeof text;
    for (unsigned digits = 0; v || digits == 0; v /= 10, digits++) {
        if (digits && digits % 3 == 0)
            text[--at] = ',';
        text[--at] = (char)('0' + v % 10);
    }
    buf_add(out, slice_of(text + at, sizeof text - at));
}

/* A foreign name for a terminal, cut at `most` characters; what would steer it becomes
 * '?'. */
static void shown(struct slice name, size_t most, struct buf *out)
{
    for (; name.n && most; most--) {
        size_t n = slice_printable(name), whole = slice_utf8(name);
        if (n)
            buf_add(out, slice_head(name, n));
        else
            buf_addc(out, '?');
        name = slice_from(name, whole ? whole : 1);
    }
    if (name.n)
        buf_adds(out, "…");
}

/* Characters, taken as one column each. */
static size_t columns(struct slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static void day_text(int64_t day, struct buf *out)
{
    if (day == USAGE_NO_TIME)
        buf_adds(out, "(no time)");
    else
        instant_format_day(day, out);
}

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

static bool nothing_priced(const struct tally_sum *s)
{
    return s->pico == 0 && s->unpriced_calls > 0 &&
           s->unpriced_calls == s->calls - s->missing;
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

/* --- table ----------------------------------------------------------------------------
 */

enum { COLUMNS = 9, TEXT_COLUMNS = 3, NAME_SHOWN = 48 };

struct table {
    struct buf *out; /* NULL: measure only */
    struct buf cell;
    size_t width[COLUMNS];
};

static void cell(struct table *t, unsigned column)
{
    struct slice s = buf_slice(&t->cell);
    size_t n = columns(s), pad = t->width[column] > n ? t->width[column] - n : 0;
    if (!t->out) {
        t->width[column] += n > t->width[column] ? n - t->width[column] : 0;
    } else {
        if (column)
            buf_adds(t->out, "  ");
        for (; column >= TEXT_COLUMNS && pad; pad--)
            buf_addc(t->out, ' ');
        buf_add(t->out, s);
        for (; column + 1 < COLUMNS && pad; pad--)
            buf_addc(t->out, ' ');
        if (column + 1 == COLUMNS)
            buf_addc(t->out, '\n');
    }
    buf_reset(&t->cell);
}

static void number_cells(struct table *t, const struct tally_sum *s)
{
    const uint64_t numbers[] = { s->calls, s->v[USAGE_input], s->v[USAGE_cache_read],
                                 cache_writes(s->v), s->v[USAGE_output] };
    for (unsigned i = 0; i < 5; i++) {
        grouped(numbers[i], &t->cell);
        cell(t, TEXT_COLUMNS + i);
    }
    if (nothing_priced(s)) {
        buf_adds(&t->cell, "unpriced");
    } else {
        buf_adds(&t->cell, s->unpriced ? ">= $" : "$");
        price_format(s->pico, 4, &t->cell);
    }
    cell(t, COLUMNS - 1);
}

static void table_row(void *arg, const struct tally_sum *s)
{
    struct table *t = arg;
    day_text(s->day, &t->cell);
    cell(t, 0);
    shown(s->provider.n ? s->provider : SLICE("-"), NAME_SHOWN, &t->cell);
    cell(t, 1);
    shown(s->model.n ? s->model : SLICE("(unknown)"), NAME_SHOWN, &t->cell);
    cell(t, 2);
    number_cells(t, s);
}

static void table_head(struct table *t)
{
    static const char *const heads[COLUMNS] = { "Day",         "Provider", "Model",
                                                "Calls",       "Input",    "Cache read",
                                                "Cache write", "Output",   "Cost" };
    for (unsigned i = 0; i < COLUMNS; i++) {
        buf_adds(&t->cell, heads[i]);
        cell(t, i);
    }
}

static void table_total(struct table *t, const struct tally_sum *total)
{
    buf_adds(&t->cell, "Total");
    cell(t, 0);
    cell(t, 1);
    cell(t, 2);
    number_cells(t, total);
}

void scan_out_table(struct tally *t, const struct scan_report *r,
                    const struct scan_problem *problems, size_t n, struct buf *out)
{
    struct table table = { .out = NULL };
    struct tally_sum total;
    tally_total(t, &total);
    for (int pass = 0; pass < 2 && (total.calls || r->log.records); pass++) {
        table_head(&table);
        tally_each(t, true, table_row, &table);
        table_total(&table, &total);
        table.out = out;
    }
    buf_release(&table.cell);
    scan_out_notes(t, r, problems, n, out);
}

/* --- notes ----------------------------------------------------------------------------
 */

static void counted(struct buf *out, uint64_t n, const char *one, const char *many)
{
    grouped(n, out);
    buf_addf(out, " %s", n == 1 ? one : many);
}

/* "Label: a, b, c." with only what is not zero; nothing at all when all are. */
struct note {
    struct buf *out;
    const char *label;
    bool begun;
};

static void note(struct note *t, uint64_t n, const char *one, const char *many)
{
    if (n == 0)
        return;
    if (!t->begun)
        buf_addf(t->out, "%-10s ", t->label);
    else
        buf_adds(t->out, ", ");
    t->begun = true;
    counted(t->out, n, one, many);
}

static void note_end(struct note *t)
{
    if (t->begun)
        buf_addc(t->out, '\n');
}

static void unpriced_model(void *arg, const struct tally_sum *s)
{
    struct buf *out = arg;
    if (!s->unpriced)
        return;
    buf_adds(out, "Unpriced   ");
    shown(s->provider, NAME_SHOWN, out);
    buf_addc(out, s->provider.n ? '/' : ' ');
    shown(s->model.n ? s->model : SLICE("(unknown)"), NAME_SHOWN, out);
    if (nothing_priced(s)) {
        buf_adds(out, ": ");
        counted(out, s->unpriced_calls, "call", "calls");
    }
    buf_adds(out, s->pico                  ? ": not all has a price ("
                  : s->unpriced_calls == 1 ? " has no price ("
                                           : " have no price (");
    bool first = true;
    for (unsigned f = 0; f < USAGE_N; f++) {
        if (!(s->unpriced >> f & 1))
            continue;
        buf_adds(out, first ? "" : ", ");
        buf_addf(out, "%s ", usage_fields[f].name);
        grouped(s->without[f], out);
        first = false;
    }
    buf_adds(out, "); not in the cost\n");
}

/* "Missing    5 of 100 calls report no usage …" */
static void share_note(struct buf *out, const char *label, uint64_t n, uint64_t of,
                       const char *what)
{
    if (n == 0 || of == 0)
        return;
    buf_addf(out, "%-10s ", label);
    grouped(n, out);
    buf_adds(out, " of ");
    grouped(of, out);
    buf_addf(out, " %s\n", what);
}

/* Input of all classes. */
static uint64_t inputs(const uint64_t v[USAGE_CLASSES])
{
    return v[USAGE_input] + v[USAGE_cache_read] + cache_writes(v);
}

/* What of the sums above is not exact. */
static void estimated_note(const struct tally_sum *total, struct buf *out)
{
    if (!total->estimated)
        return;
    buf_addf(out, "%-10s ", "Estimated");
    grouped(total->estimated, out);
    buf_adds(out, " of ");
    grouped(total->calls, out);
    buf_adds(out, " calls: input ");
    grouped(inputs(total->guessed), out);
    buf_adds(out, ", output ");
    grouped(total->guessed[USAGE_output], out);
    buf_adds(out, " and $");
    price_format(total->guessed_pico, 4, out);
    buf_adds(out, " of the sums above\n");
}

static void skipped_note(const struct scan_report *r, struct buf *out)
{
    struct note t = { out, "Skipped", false };
    note(&t, r->lines.too_long + r->log.too_long, "line that is too long",
         "lines that are too long");
    note(&t, r->log.not_json, "line of broken JSON (a record is one line)",
         "lines of broken JSON (a record is one line: jq -c . makes it so)");
    note(&t, r->log.torn, "line without its end", "lines without their end");
    note(&t, r->log.points_dropped, "point of an OTLP metric: too many series in a file",
         "points of OTLP metrics: too many series in a file");
    note(&t, r->not_text, "file that is not a text log", "files that are not text logs");
    note(&t, r->outside, "record outside the dates", "records outside the dates");
    note(&t, r->lost, "record for lack of memory", "records for lack of memory");
    note_end(&t);
}

void scan_out_notes(struct tally *t, const struct scan_report *r,
                    const struct scan_problem *problems, size_t n, struct buf *out)
{
    struct tally_sum total;
    tally_total(t, &total);
    if (out->n)
        buf_addc(out, '\n');
    struct note read = { out, "Read", false };
    note(&read, r->files, "file", "files");
    note(&read, r->bytes, "byte", "bytes");
    note(&read, r->lines.lines, "line", "lines");
    note(&read, r->log.records, "record", "records");
    note_end(&read);
    if (r->capture)
        scan_capture_notes(r->capture, out);
    if (r->log.records == 0)
        buf_adds(out, "No record of an LLM call was found.\n");
    struct note other = { out, "Also seen", false };
    note(&other, r->accountings[ACCOUNTING_ERROR], "failed request, not billed",
         "failed requests, not billed");
    note(&other, r->accountings[ACCOUNTING_FREE], "free request", "free requests");
    note(&other, r->accountings[ACCOUNTING_DEFERRED], "deferred call", "deferred calls");
    note(&other, r->accountings[ACCOUNTING_REPORT], "report of a call",
         "reports of calls");
    note_end(&other);
    struct note repeats = { out, "Repeats", false };
    note(&repeats, r->again, "record of a call counted before",
         "records of calls counted before");
    note(&repeats, r->grown, "record with later numbers of one",
         "records with later numbers of one");
    note_end(&repeats);
    share_note(out, "Missing", total.missing, total.calls,
               "calls report no usage: not in the tokens or the cost");
    if (total.stated.calls) {
        buf_adds(out, "Stated     ");
        price_stated_text(&total.stated, out);
        buf_addc(out, '\n');
    }
    estimated_note(&total, out);
    share_note(out, "Timed", r->log.time_guessed, r->log.records,
               "records carry no time: the line before or the file gave it");
    tally_each(t, false, unpriced_model, out);
    skipped_note(r, out);
    if (r->forgotten) {
        buf_adds(out, "Window     ");
        counted(out, r->forgotten, "call", "calls");
        buf_adds(out, " left the window for repeats; a repeat of those counts again "
                      "(--window)\n");
    }
    for (size_t i = 0; i < n; i++) {
        buf_adds(out, "Problem    ");
        shown(slice_str(problems[i].path), SIZE_MAX, out);
        buf_addf(out, ": %s\n", problems[i].why);
    }
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

/* RFC 4180; a leading = + - @ tab or CR is a formula to a spreadsheet: ' goes before. */
static void csv_text(struct slice s, struct buf *out)
{
    bool formula = s.n && strchr("=+-@\t\r", s.p[0]) && s.p[0];
    buf_addc(out, '"');
    if (formula)
        buf_addc(out, '\'');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"')
            buf_addc(out, '"');
        buf_addc(out, s.p[i]);
    }
    buf_addc(out, '"');
}

static void csv_row(void *arg, const struct tally_sum *s)
{
    struct buf *out = arg;
    if (s->day != USAGE_NO_TIME)
        instant_format_day(s->day, out);
    buf_addc(out, ',');
    csv_text(s->provider, out);
    buf_addc(out, ',');
    csv_text(s->model, out);
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
