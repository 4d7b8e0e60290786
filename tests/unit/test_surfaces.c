/*
 * Every API surface by a made-up exchange: tests/unit/surfaces.txt, whole and cut at
 * every byte of the reply. What stands there as a plain JSON reply is fed to the record
 * door, too, as a line of a log that names method, URL and status.
 */
#include "agent/extract.h"
#include "describe.h"
#include "testing.h"

enum {
    HEADERS = 8,
    CUTS = 60 /* of a reply: the traps of streams are cut at every byte
                    in test_exchange */
};

struct row {
    unsigned line; /* of the file, for messages */
    struct slice method, url, want, log;
    struct extract_header sent[HEADERS], got[HEADERS];
    size_t sent_n, got_n;
    uint16_t status;
    bool text; /* there is a row at all */
    struct buf request, body;
};

/* Calls of a batch come before the report of their sums: put here behind it. */
static struct buf parts;

static void part(void *arg, struct usage *u)
{
    (void)arg;
    describe(&parts, u);
}

/* --- the file -------------------------------------------------------------------------
 */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \n, \r and \xNN stand for bytes; all else, JSON's own escapes too, for itself. */
static void unescape(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        char next = i + 1 < s.n ? s.p[i + 1] : 0;
        if (s.p[i] == '\\' && (next == 'n' || next == 'r')) {
            buf_addc(b, next == 'n' ? '\n' : '\r');
            i++;
        } else if (s.p[i] == '\\' && next == 'x' && i + 3 < s.n) {
            buf_addc(b, (char)(hex_digit(s.p[i + 2]) << 4 | hex_digit(s.p[i + 3])));
            i += 3;
        } else {
            buf_addc(b, s.p[i]);
        }
    }
}

static void header(struct extract_header *h, size_t *n, struct slice s)
{
    assert_true(*n < HEADERS);
    slice_cut(s, ':', &h[*n].name, &h[*n].value);
    h[*n].value = slice_trim(h[*n].value);
    ++*n;
}

static void row_line(struct row *r, struct slice s)
{
    struct slice text = slice_from(s, 2);
    if (s.p[0] == '>')
        unescape(&r->request, text);
    else if (s.p[0] == '<')
        unescape(&r->body, text);
    else if (s.p[0] == 'q')
        header(r->sent, &r->sent_n, text);
    else if (s.p[0] == 'h')
        header(r->got, &r->got_n, text);
    else if (s.p[0] == 's')
        r->status = (uint16_t)strtoul(text.p, NULL, 10);
    else if (s.p[0] == '=')
        r->want = text;
    else if (s.p[0] == 'l')
        r->log = text;
    else
        slice_cut(s, ' ', &r->method, &r->url);
}

/* The next row of the file; false at its end. */
static bool row_next(struct row *r, struct slice *file, unsigned *at)
{
    buf_reset(&r->request);
    buf_reset(&r->body);
    memset(r, 0, offsetof(struct row, request));
    r->status = 200;
    while (file->n) {
        struct slice line;
        slice_cut(*file, '\n', &line, file);
        ++*at;
        if (!line.n && r->text)
            break;
        if (!line.n || line.p[0] == '#')
            continue;
        if (!r->text)
            r->line = *at;
        r->text = true;
        row_line(r, line);
    }
    return r->text;
}

/* --- the doors ------------------------------------------------------------------------
 */

static void run(struct extract *x, const struct row *r, size_t cut, struct buf *out)
{
    struct slice host = { NULL, 0 }, body = buf_slice(&r->body), rest = r->url, target;
    size_t at = slice_find(rest, SLICE("://"));
    rest = slice_from(rest, at + 3);
    at = slice_chr(rest, '/');
    host = slice_head(rest, at);
    target = slice_from(rest, at);
    struct guarded a = guard_copy(slice_head(body, cut)),
                   b = guard_copy(slice_from(body, cut));
    buf_reset(out);
    buf_reset(&parts);
    extract_begin(x, SLICE("https"), host, 0, r->method, target);
    extract_request_headers(x, r->sent, r->sent_n);
    extract_request_body(x, buf_slice(&r->request));
    extract_response_head(x, r->status, r->got, r->got_n);
    extract_parts(x, 5, part, out);
    extract_response_body(x, a.s);
    extract_response_body(x, b.s);
    extract_finish(x, EXTRACT_COMPLETE, 5, describe, out);
    if (parts.n)
        buf_addf(out, "; %.*s", SLICE_FMT(buf_slice(&parts)));
    guard_release(&a);
    guard_release(&b);
}

static void same(const struct row *r, struct slice want, const struct buf *got,
                 const char *how, size_t *wrong)
{
    if (slice_eq(want, buf_slice(got)))
        return;
    print_error("surfaces.txt:%u: %s\n  got  %.*s\n  want %.*s\n", r->line, how,
                SLICE_FMT(buf_slice(got)), SLICE_FMT(want));
    ++*wrong;
}

static char *file_text;

static struct slice file_load(void)
{
    FILE *f = fopen(BREAKEVEN_SURFACES, "rb");
    assert_non_null(f);
    file_text = calloc(1, 1 << 20);
    size_t n = fread(file_text, 1, 1 << 20, f);
    assert_true(n > 0 && n < 1 << 20);
    fclose(f);
    return slice_of(file_text, n);
}

static struct row row;

static void exchanges(void **state)
{
    struct slice file = file_load();
    struct buf out = { 0 };
    unsigned at = 0;
    size_t n = 0, wrong = 0;
    (void)state;
    for (; row_next(&row, &file, &at); n++) {
        struct extract *x = extract_new();
        size_t before = wrong;
        run(x, &row, row.body.n, &out);
        same(&row, row.want, &out, "whole", &wrong);
        size_t step = 1 + row.body.n / CUTS;
        for (size_t cut = n % step; cut < row.body.n && wrong == before; cut += step) {
            run(x, &row, cut, &out);
            same(&row, row.want, &out, "cut", &wrong);
        }
        extract_free(x);
    }
    print_message("%zu exchanges\n", n);
    assert_int_equal(wrong, 0);
    buf_release(&out);
    free(file_text);
}

/* A reply as a field of a log line; `l` rows say where that gives less, "-" for skip. */
static void records(void **state)
{
    struct slice file = file_load();
    struct buf out = { 0 }, line = { 0 };
    unsigned at = 0;
    size_t n = 0, wrong = 0;
    (void)state;
    while (row_next(&row, &file, &at)) {
        struct slice body = buf_slice(&row.body), want = row.log.n ? row.log : row.want;
        struct slice request = buf_slice(&row.request);
        const char *why;
        if (!request.n || request.p[0] != '{')
            request = SLICE("{}");
        if (!body.n || body.p[0] != '{' || body.p[body.n - 1] != '}' ||
            slice_chr(body, '\n') != SIZE_MAX || slice_eq(want, SLICE("-")))
            continue;
        struct extract *x = extract_new();
        struct extract_hint hint = { .fallback_ts_ns = 5 };
        buf_reset(&line);
        buf_reset(&out);
        buf_addf(&line,
                 "{\"method\":\"%.*s\",\"url\":\"%.*s\",\"status\":%u,\"request\":%.*s,"
                 "\"response\":%.*s}",
                 SLICE_FMT(row.method), SLICE_FMT(row.url), row.status,
                 SLICE_FMT(request), SLICE_FMT(body));
        extract_record(x, buf_slice(&line), &hint, describe, &out, &why);
        same(&row, want, &out, "as a log line", &wrong);
        extract_free(x);
        n++;
    }
    print_message("%zu records\n", n);
    assert_int_equal(wrong, 0);
    buf_release(&out);
    buf_release(&line);
    free(file_text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exchanges),
        cmocka_unit_test(records),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_release(&parts);
    buf_release(&row.request);
    buf_release(&row.body);
    return failed;
}
