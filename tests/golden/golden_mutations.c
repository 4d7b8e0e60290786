/*
 * What must not change a verdict: every recorded reply written otherwise, its JSON
 * indented or not, members in another order, letters and digits spelled in other ways,
 * unknown fields beside the known, its stream with other line ends, comments and fields;
 * header names in another case and order. The verdict stays that of the oracle; and so
 * does the one on a logged reply.
 */
#include "common/buf.h"
#include "testing.h"
#include "tests/golden/verdict.h"

/* --- JSON as a tree, raw
 * ------------------------------------------------------------------ */

struct node {
    struct slice key, text; /* both as written; key between its quotes */
    struct node *child, *next;
};

struct parser {
    const char *p, *end;
    struct arena *arena;
};

static void blank(struct parser *s)
{
    while (s->p < s->end && strchr(" \t\r\n", *s->p) && *s->p)
        s->p++;
}

static bool string(struct parser *s, struct slice *inside)
{
    const char *first = s->p + 1, *p = first;
    while (p < s->end && *p != '"')
        p += *p == '\\' ? 2 : 1;
    if (p >= s->end)
        return false;
    *inside = slice_of(first, (size_t)(p - first));
    s->p = p + 1;
    return true;
}

static struct node *value(struct parser *s);

/* Members up to the closing bracket, in their order. */
static bool members(struct parser *s, struct node *to, char end)
{
    struct node **next = &to->child;
    struct slice key = { NULL, 0 };
    for (s->p++, blank(s); s->p < s->end && *s->p != end; blank(s)) {
        if (*s->p == ',')
            s->p++;
        blank(s);
        if (end == '}' && (*s->p != '"' || !string(s, &key)))
            return false;
        blank(s);
        s->p += end == '}';
        if (!(*next = value(s)))
            return false;
        (*next)->key = key;
        next = &(*next)->next;
    }
    return s->p++ < s->end;
}

/* NULL: not JSON. */
static struct node *value(struct parser *s)
{
    struct node *n = arena_alloc(s->arena, sizeof *n);
    blank(s);
    const char *first = s->p;
    if (!n || s->p >= s->end)
        return NULL;
    if (*s->p == '{' || *s->p == '[') {
        if (!members(s, n, *s->p == '{' ? '}' : ']'))
            return NULL;
    } else if (*s->p == '"') {
        if (!string(s, &n->text))
            return NULL;
    } else {
        while (s->p < s->end && !strchr(",]} \t\r\n", *s->p))
            s->p++;
    }
    n->text = slice_of(first, (size_t)(s->p - first));
    return n->text.n ? n : NULL;
}

static struct node *document(struct slice json, struct arena *arena)
{
    struct parser s = { json.p, json.p + json.n, arena };
    struct node *n = value(&s);
    blank(&s);
    return s.p == s.end ? n : NULL;
}

/* --- and written otherwise
 * ---------------------------------------------------------------- */

enum mutation {
    PLAIN,   /* without a blank */
    INDENT,  /* over several lines */
    CRLF,    /* the same with CRLF */
    REVERSE, /* members from the last to the first */
    ESCAPE,  /* letters of keys and values as \u00XX */
    BESIDE,  /* unknown members before and behind the others */
    TWICE,   /* a count before the count of the same name: the last one holds */
    FLOATS,  /* integers as 12.0 and 1.2e1 */
    BOM,
    MUTATIONS,
};

static const char *const mutation_names[MUTATIONS] = {
    "plain", "indent", "crlf", "reverse", "escape", "beside", "twice", "floats", "bom",
};

struct writer {
    struct buf *out;
    enum mutation m;
    struct rng *rng;
    unsigned depth;
};

static void line(struct writer *w)
{
    if (w->m != INDENT && w->m != CRLF)
        return;
    buf_adds(w->out, w->m == CRLF ? "\r\n" : "\n");
    for (unsigned i = 0; i < w->depth; i++)
        buf_adds(w->out, "  ");
}

static void text(struct writer *w, struct slice raw)
{
    for (size_t i = 0; i < raw.n; i++) {
        char c = raw.p[i];
        bool letter = (c >= 'a' && c <= 'z') || c == '_' || c == '/';
        if (c == '\\') {
            buf_add(w->out, slice_head(slice_from(raw, i), 2));
            i++;
        } else if (w->m == ESCAPE && letter && !rng_below(w->rng, 3)) {
            buf_addf(w->out, "\\u%04x", c);
        } else {
            buf_addc(w->out, c);
        }
    }
}

static bool integer(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n > 0 && s.n < 15;
}

static void number(struct writer *w, struct slice s)
{
    if (w->m != FLOATS || !integer(s))
        buf_add(w->out, s);
    else if (s.n > 1 && rng_below(w->rng, 2))
        buf_addf(w->out, "%c.%.*se%zu", s.p[0], (int)s.n - 1, s.p + 1, s.n - 1);
    else
        buf_addf(w->out, "%.*s.0", SLICE_FMT(s));
}

static void write_node(struct writer *w, const struct node *n);

static void member(struct writer *w, const struct node *n, bool object)
{
    line(w);
    if (object && w->m == TWICE && integer(n->text) && n->text.n < 7 &&
        n->text.p[0] != '0')
        buf_addf(w->out, "\"%.*s\":7%.*s,", SLICE_FMT(n->key), SLICE_FMT(n->text));
    if (object) {
        buf_addc(w->out, '"');
        text(w, n->key);
        buf_adds(w->out, w->m == INDENT ? "\": " : "\":");
    }
    write_node(w, n);
}

static void write_all(struct writer *w, const struct node *n, bool object, bool *comma)
{
    if (!n)
        return;
    if (w->m == REVERSE && object)
        write_all(w, n->next, object, comma);
    if (*comma)
        buf_addc(w->out, ',');
    *comma = true;
    member(w, n, object);
    if (w->m != REVERSE || !object)
        write_all(w, n->next, object, comma);
}

static void write_node(struct writer *w, const struct node *n)
{
    static const char *const before =
        "\"x_new\":{\"a\":[1,{\"b\":\"}\\\"\"}],\"n\":5},\"x_null\":null,";
    bool object = n->text.p[0] == '{', comma = false;
    if (n->text.p[0] == '"') {
        buf_addc(w->out, '"');
        text(w, slice_of(n->text.p + 1, n->text.n - 2));
        buf_addc(w->out, '"');
    } else if (!object && n->text.p[0] != '[') {
        number(w, n->text);
    } else {
        buf_addc(w->out, n->text.p[0]);
        w->depth++;
        if (object && n->child && w->m == BESIDE)
            buf_adds(w->out, before);
        write_all(w, n->child, object, &comma);
        if (object && n->child && w->m == BESIDE)
            buf_adds(w->out, ",\"x_last\":[\"{\",-1.5e3,true,[]],\"x_s\":\"\\u007b\"");
        w->depth--;
        if (n->child)
            line(w);
        buf_addc(w->out, object ? '}' : ']');
    }
}

/* False: not JSON, or not what this is done to. */
static bool rewrite(struct slice json, enum mutation m, struct rng *rng, struct buf *out)
{
    struct arena arena;
    struct writer w = { out, m, rng, 0 };
    arena_init(&arena, 64 << 20);
    struct node *n = document(slice_trim(json), &arena);
    if (n && m == BOM)
        buf_adds(out, "\xef\xbb\xbf");
    if (n)
        write_node(&w, n);
    arena_release(&arena);
    return n != NULL;
}

/* --- streams
 * ------------------------------------------------------------------------------ */

static const char *const ends[] = { "\n", "\r\n", "\r" };

/*
 * A line of an SSE stream with its document rewritten. Indented, it stands on several
 * lines of data.
 */
static void data_line(struct slice json, enum mutation m, struct rng *rng,
                      const char *end, struct buf *out)
{
    struct buf doc = { 0 };
    struct slice rest, one;
    if (m == BOM || !rewrite(json, m, rng, &doc))
        buf_add(&doc, json);
    for (rest = buf_slice(&doc); rest.n;) {
        slice_cut(rest, '\n', &one, &rest);
        buf_adds(out, m == REVERSE ? "data:" : "data: ");
        buf_add(out, slice_trim(one));
        buf_adds(out, end);
    }
    buf_release(&doc);
}

static void sse(struct slice body, enum mutation m, struct rng *rng, struct buf *out)
{
    const char *end = m == CRLF ? ends[1] : ends[rng_below(rng, 3)];
    struct slice one, value;
    if (m == BOM)
        buf_adds(out, "\xef\xbb\xbf");
    while (body.n) {
        size_t n = 0;
        while (n < body.n && body.p[n] != '\n' && body.p[n] != '\r')
            n++;
        one = slice_head(body, n);
        bool both = slice_starts(slice_from(body, n), SLICE("\r\n"));
        body = slice_from(body, n + 1 + both);
        if (m == BESIDE && !one.n)
            buf_addf(out, "%s: keep-alive {\"usage\":{}}%sretry: 5%sunknown: x%s%s", end,
                     end, end, end, end);
        if (slice_starts(one, SLICE("data:"))) {
            value = slice_trim(slice_from(one, 5));
            data_line(value, m, rng, end, out);
        } else {
            buf_add(out, one);
            buf_adds(out, end);
        }
    }
}

static void ndjson(struct slice body, enum mutation m, struct rng *rng, struct buf *out)
{
    struct slice one;
    bool lines = m == INDENT || m == CRLF || m == BOM;
    while (body.n) {
        slice_cut(body, '\n', &one, &body);
        if (!rewrite(one, lines ? PLAIN : m, rng, out))
            buf_add(out, slice_trim(one));
        buf_adds(out, m == CRLF ? "\r\n" : m == INDENT ? "\n\n" : "\n");
    }
}

/* The body of `e` as `m` makes it; false: this is not done to it. */
static bool mutate(const struct exchange_record *e, enum mutation m, struct rng *rng,
                   struct buf *out)
{
    struct slice framing = e->truth.framing;
    buf_reset(out);
    if (slice_eq(framing, SLICE("sse")))
        sse(e->response, m, rng, out);
    else if (slice_eq(framing, SLICE("ndjson")))
        ndjson(e->response, m, rng, out);
    else if (slice_eq(framing, SLICE("json")) || slice_eq(framing, SLICE("json_array")))
        return rewrite(e->response, m, rng, out);
    else
        return false;
    return true;
}

/* --- the doors
 * ---------------------------------------------------------------------------- */

/* Names in capitals, from the last header to the first. */
static size_t headers(const struct extract_header *h, size_t n, struct arena *arena,
                      struct extract_header *out)
{
    for (size_t i = 0; i < n; i++) {
        struct extract_header *to = &out[n - 1 - i];
        *to = h[i];
        to->name = arena_dup(arena, h[i].name);
        char *p = (char *)(uintptr_t)to->name.p;
        for (size_t k = 0; k < to->name.n; k++)
            p[k] = p[k] >= 'a' && p[k] <= 'z' ? (char)(p[k] ^ 0x20) : p[k];
    }
    return n;
}

static void run(struct extract *x, struct exchange_record *e, struct slice body,
                struct rng *rng, struct verdicts *out)
{
    struct extract_header to[CORPUS_HEADERS];
    struct arena arena;
    arena_init(&arena, 1 << 20);
    out->n = 0;
    extract_begin(x, e->scheme, e->host, e->port, e->method, e->path);
    size_t n = headers(e->request_header, e->request_headers, &arena, to);
    extract_request_headers(x, to, n);
    extract_request_body(x, e->request);
    n = headers(e->response_header, e->response_headers, &arena, to);
    extract_response_head(x, e->status, to, n);
    while (body.n) {
        struct slice p = slice_head(body, 1 + (size_t)rng_below(rng, 5000));
        extract_response_body(x, p);
        body = slice_from(body, p.n);
    }
    extract_finish(x, EXTRACT_COMPLETE, 0, verdicts_keep, out);
    arena_release(&arena);
}

/* Counts of these are added up over a list, or an event: said twice they are twice. */
static bool excepted(const struct exchange_record *e, enum mutation m)
{
    static const char *const sums[] = { "cohere.embed", "watsonx.generation",
                                        "gemini.predict" };
    bool sum = false;
    for (size_t i = 0; i < COUNT_OF(sums); i++)
        sum |= slice_eq(e->truth.surface, slice_str(sums[i]));
    return m == TWICE && sum;
}

static void exchanges(void **state)
{
    struct rng rng = rng_open("mutations");
    struct extract *x = extract_new();
    struct corpus c;
    struct exchange_record e;
    struct verdicts got;
    struct buf body = { 0 };
    char why[1024];
    size_t n = 0, wrong = 0;
    (void)state;
    if (!corpus_open(&c)) {
        extract_free(x);
        skip();
    }
    while (corpus_next(&c, &e)) {
        for (enum mutation m = 0; m < MUTATIONS; m++) {
            if (excepted(&e, m) || !mutate(&e, m, &rng, &body))
                continue;
            run(x, &e, buf_slice(&body), &rng, &got);
            n++;
            const char *differs =
                verdict_differs(&e.truth, &got, SKIP_NOTHING, why, sizeof why);
            if (*differs) {
                wrong++;
                print_message("%.*s %.*s %.*s %.*s %s: %s\n", SLICE_FMT(e.id),
                              SLICE_FMT(e.truth.provider), SLICE_FMT(e.truth.surface),
                              SLICE_FMT(e.truth.framing), mutation_names[m], differs);
            }
        }
    }
    corpus_close(&c);
    buf_release(&body);
    extract_free(x);
    print_message("%zu replies, %zu judged otherwise than the truth\n", n, wrong);
    assert_true(n > 0);
    assert_int_equal(wrong, 0);
}

/* A logged reply, as the record door judges it. */
static void judge(struct extract *x, const struct exchange_record *e, struct slice body,
                  struct verdicts *got)
{
    static const struct extract_hint hint = { .fallback_ts_ns = 0 };
    struct buf record = { 0 };
    const char *why;
    buf_addf(&record,
             "{\"provider\":\"%.*s\",\"status\":%u,\"response\":", SLICE_FMT(e->provider),
             e->status);
    buf_add(&record, body);
    buf_addc(&record, '}');
    got->n = 0;
    extract_record(x, buf_slice(&record), &hint, verdicts_keep, got, &why);
    buf_release(&record);
}

static bool alike(const struct verdicts *a, const struct verdicts *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++) {
        const struct usage *u = &a->u[i], *v = &b->u[i];
        same = !memcmp(u->v, v->v, sizeof u->v) && u->have == v->have &&
               u->accounting == v->accounting;
        for (unsigned k = 0; k < COUNT_OF(a->name[i]); k++)
            same &= !strcmp(a->name[i][k], b->name[i][k]);
    }
    return same;
}

static void records(void **state)
{
    struct rng rng = rng_open("mutations");
    struct extract *x = extract_new();
    struct corpus c;
    struct exchange_record e;
    struct verdicts want, got;
    struct buf body = { 0 };
    size_t n = 0, wrong = 0;
    (void)state;
    if (!corpus_open(&c)) {
        extract_free(x);
        skip();
    }
    while (corpus_next(&c, &e)) {
        if (!slice_eq(e.truth.framing, SLICE("json")) || !mutate(&e, PLAIN, &rng, &body))
            continue;
        judge(x, &e, buf_slice(&body), &want);
        for (enum mutation m = INDENT; m < BOM; m++) {
            if (excepted(&e, m))
                continue;
            mutate(&e, m, &rng, &body);
            judge(x, &e, buf_slice(&body), &got);
            n++;
            if (!alike(&want, &got)) {
                wrong++;
                print_message("%.*s %.*s %.*s %s: logged\n", SLICE_FMT(e.id),
                              SLICE_FMT(e.truth.provider), SLICE_FMT(e.truth.surface),
                              mutation_names[m]);
            }
        }
    }
    corpus_close(&c);
    buf_release(&body);
    extract_free(x);
    print_message("%zu records, %zu judged otherwise than as they came\n", n, wrong);
    assert_true(n > 0);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exchanges),
        cmocka_unit_test(records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
