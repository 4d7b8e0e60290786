/* The output of `scan` for people: see scan_out.h. */
#include "agent/scan_out_private.h"

#include "agent/scan_capture.h"

#include "common/instant.h"

/* --- small pieces ---------------------------------------------------------------------
 */

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
