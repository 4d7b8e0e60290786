/* Lines are whole in memory, so every string without escapes is borrowed from its line.
 */
#include "tests/golden/corpus.h"

#include "common/json.h"
#include "testing.h"

#include <brotli/decode.h>

const char *const truth_names[TRUTH_NUMBERS] = {
    "input_uncached", "cache_read", "cache_write", "cache_write_5m",
    "cache_write_1h", "output",     "reasoning",   "total_reported",
};

static _Noreturn void damaged(const char *what)
{
    fprintf(stderr, "corpus: %s\n", what);
    abort();
}

static void *need(void *p)
{
    if (!p)
        damaged("out of memory");
    return p;
}

static void *take(struct corpus *c, size_t n)
{
    return need(arena_alloc(&c->arena, n ? n : 1));
}

static struct slice copy_of(struct corpus *c, struct slice s)
{
    char *p = take(c, s.n);
    if (s.n)
        memcpy(p, s.p, s.n);
    return slice_of(p, s.n);
}

bool corpus_open(struct corpus *c)
{
    char path[512];
    memset(c, 0, sizeof *c);
    if (!corpus_path("exchanges/dev.jsonl.gz", path, sizeof path))
        return false;
    c->exchanges = need(gzopen(path, "rb"));
    if (!corpus_path("exchanges/dev.truth.jsonl", path, sizeof path))
        damaged("no truth beside the exchanges");
    c->truths = need(gzopen(path, "rb"));
    arena_init(&c->arena, (size_t)1 << 28);
    return true;
}

void corpus_close(struct corpus *c)
{
    gzclose(c->exchanges);
    gzclose(c->truths);
    arena_release(&c->arena);
    free(c->line[0]);
    free(c->line[1]);
}

static bool next_line(struct corpus *c, gzFile f, unsigned at, struct slice *out)
{
    size_t n = 0;
    for (;;) {
        if (c->cap[at] - n < 65536) {
            c->cap[at] = c->cap[at] ? c->cap[at] * 2 : 1 << 17;
            c->line[at] = need(realloc(c->line[at], c->cap[at]));
        }
        if (!gzgets(f, c->line[at] + n, (int)(c->cap[at] - n)))
            return false;
        n += strlen(c->line[at] + n);
        if (n && c->line[at][n - 1] == '\n')
            break;
    }
    *out = slice_of(c->line[at], n - 1);
    return true;
}

/* --- scanner helpers ------------------------------------------------------------------
 */

static enum json_type next(struct json *j, struct slice *text)
{
    enum json_type t = json_next(j, text);
    if (t == JSON_BAD || t == JSON_MORE)
        damaged("a line is not JSON");
    return t;
}

static struct slice string(struct corpus *c, struct json *j)
{
    struct slice s = { NULL, 0 };
    enum json_type t = next(j, &s);
    return t == JSON_STRING || t == JSON_NUMBER ? copy_of(c, s) : slice_of(NULL, 0);
}

static int64_t number(struct json *j)
{
    struct slice s = { NULL, 0 };
    uint64_t v;
    return next(j, &s) == JSON_NUMBER && json_count(s, &v) ? (int64_t)v : -1;
}

static bool flag(struct json *j)
{
    struct slice s;
    return next(j, &s) == JSON_TRUE;
}

static int digit(char ch)
{
    return ch >= 'A' && ch <= 'Z'   ? ch - 'A'
           : ch >= 'a' && ch <= 'z' ? ch - 'a' + 26
           : ch >= '0' && ch <= '9' ? ch - '0' + 52
           : ch == '+'              ? 62
           : ch == '/'              ? 63
                                    : -1;
}

static struct slice base64(struct corpus *c, struct json *j)
{
    struct slice s = { NULL, 0 };
    uint32_t bits = 0;
    unsigned have = 0;
    size_t n = 0;
    if (next(j, &s) != JSON_STRING)
        return slice_of(NULL, 0);
    char *out = take(c, s.n);
    for (size_t i = 0; i < s.n && digit(s.p[i]) >= 0; i++) {
        bits = bits << 6 | (uint32_t)digit(s.p[i]);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (char)(bits >> have & 0xff);
        }
    }
    return slice_of(out, n);
}

static size_t headers(struct corpus *c, struct json *j, struct extract_header *out)
{
    struct slice s;
    size_t n = 0;
    if (next(j, &s) != JSON_ARRAY)
        damaged("headers are no list");
    while (next(j, &s) == JSON_ARRAY) {
        struct extract_header h = { .name = string(c, j) };
        h.value = string(c, j);
        if (next(j, &s) != JSON_ARRAY_END)
            damaged("a header is no pair");
        if (n < CORPUS_HEADERS)
            out[n++] = h;
    }
    return n;
}

/* --- content codings ------------------------------------------------------------------
 */

static struct slice inflate_body(struct corpus *c, struct slice in)
{
    z_stream z = { .next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n };
    struct buf b = { .p = NULL };
    int rc;
    if (inflateInit2(&z, 47) != Z_OK)
        damaged("inflateInit2");
    do {
        char *room = need(buf_room(&b, 65536));
        z.next_out = (Bytef *)room;
        z.avail_out = 65536;
        rc = inflate(&z, Z_NO_FLUSH);
        b.n += 65536 - z.avail_out;
    } while (rc == Z_OK && (z.avail_in || !z.avail_out));
    inflateEnd(&z);
    struct slice s = copy_of(c, buf_slice(&b));
    buf_release(&b);
    return s;
}

static struct slice brotli_body(struct corpus *c, struct slice in)
{
    size_t n = in.n * 40 + 65536;
    char *out = take(c, n);
    if (BrotliDecoderDecompress(in.n, (const uint8_t *)in.p, &n, (uint8_t *)out) !=
        BROTLI_DECODER_RESULT_SUCCESS)
        damaged("a brotli body does not decode");
    return slice_of(out, n);
}

/* --- lines ----------------------------------------------------------------------------
 */

static void read_exchange(struct corpus *c, struct slice line, struct exchange_record *e)
{
    struct json j;
    struct slice key;
    json_init(&j, JSON_ONE);
    json_feed(&j, line);
    if (next(&j, &key) != JSON_OBJECT)
        damaged("an exchange is no object");
    while (next(&j, &key) == JSON_KEY) {
        if (slice_eq(key, SLICE("id")))
            e->id = string(c, &j);
        else if (slice_eq(key, SLICE("provider")))
            e->provider = string(c, &j);
        else if (slice_eq(key, SLICE("scheme")))
            e->scheme = string(c, &j);
        else if (slice_eq(key, SLICE("host")))
            e->host = string(c, &j);
        else if (slice_eq(key, SLICE("method")))
            e->method = string(c, &j);
        else if (slice_eq(key, SLICE("path")))
            e->path = string(c, &j);
        else if (slice_eq(key, SLICE("content_encoding")))
            e->coding = string(c, &j);
        else if (slice_eq(key, SLICE("port")))
            e->port = (uint16_t)number(&j);
        else if (slice_eq(key, SLICE("status")))
            e->status = (uint16_t)number(&j);
        else if (slice_eq(key, SLICE("request_headers")))
            e->request_headers = headers(c, &j, e->request_header);
        else if (slice_eq(key, SLICE("response_headers")))
            e->response_headers = headers(c, &j, e->response_header);
        else if (slice_eq(key, SLICE("request_body_b64")))
            e->request = base64(c, &j);
        else if (slice_eq(key, SLICE("response_body_b64")))
            e->response = base64(c, &j);
        else
            json_skip(&j);
    }
    if (slice_eq(e->coding, SLICE("gzip")))
        e->response = inflate_body(c, e->response);
    else if (slice_eq(e->coding, SLICE("br")))
        e->response = brotli_body(c, e->response);
}

static void read_numbers(struct json *j, int64_t v[TRUTH_NUMBERS])
{
    struct slice key;
    while (next(j, &key) == JSON_KEY) {
        size_t i = 0;
        while (i < TRUTH_NUMBERS && !slice_eq(key, slice_str(truth_names[i])))
            i++;
        if (i < TRUTH_NUMBERS)
            v[i] = number(j);
        else
            json_skip(j);
    }
}

static size_t read_list(struct json *j, int64_t v[][TRUTH_NUMBERS], size_t max,
                        int64_t absent)
{
    struct slice s;
    size_t n = 0;
    if (next(j, &s) != JSON_ARRAY)
        damaged("a list was expected");
    while (next(j, &s) == JSON_OBJECT) {
        int64_t scrap[TRUTH_NUMBERS], *to = n < max ? v[n++] : scrap;
        for (size_t i = 0; i < TRUTH_NUMBERS; i++)
            to[i] = absent;
        read_numbers(j, to);
    }
    return n;
}

static void read_truth(struct corpus *c, struct slice line, struct truth *t)
{
    struct json j;
    struct slice key;
    json_init(&j, JSON_ONE);
    json_feed(&j, line);
    if (next(&j, &key) != JSON_OBJECT)
        damaged("a truth is no object");
    while (next(&j, &key) == JSON_KEY) {
        static const struct {
            const char *name;
            size_t at;
        } names[] = {
            { "id", offsetof(struct truth, id) },
            { "provider", offsetof(struct truth, provider) },
            { "surface", offsetof(struct truth, surface) },
            { "framing", offsetof(struct truth, framing) },
            { "accounting", offsetof(struct truth, accounting) },
            { "outcome", offsetof(struct truth, outcome) },
            { "model", offsetof(struct truth, model) },
            { "model_request", offsetof(struct truth, model_request) },
            { "response_id", offsetof(struct truth, response_id) },
        };
        size_t i = 0, n = COUNT_OF(names), v = 0;
        while (i < n && !slice_eq(key, slice_str(names[i].name)))
            i++;
        while (v < TRUTH_NUMBERS && !slice_eq(key, slice_str(truth_names[v])))
            v++;
        if (i < n)
            *(struct slice *)(void *)((char *)t + names[i].at) = string(c, &j);
        else if (v < TRUTH_NUMBERS)
            t->v[v] = number(&j);
        else if (slice_eq(key, SLICE("usage_present")))
            t->usage_present = flag(&j);
        else if (slice_eq(key, SLICE("must_estimate")))
            t->must_estimate = flag(&j);
        else if (slice_eq(key, SLICE("output_chars")))
            t->output_chars = number(&j);
        else if (slice_eq(key, SLICE("alternatives")))
            t->alternatives = read_list(&j, t->alternative, CORPUS_ALTERNATIVES, -2);
        else if (slice_eq(key, SLICE("extra_usage")))
            t->extras = read_list(&j, t->extra, CORPUS_EXTRAS, -1);
        else
            json_skip(&j);
    }
}

bool corpus_next(struct corpus *c, struct exchange_record *out)
{
    struct slice exchange, truth;
    arena_reset(&c->arena);
    memset(out, 0, sizeof *out);
    if (!next_line(c, c->exchanges, 0, &exchange))
        return false;
    if (!next_line(c, c->truths, 1, &truth))
        damaged("fewer truths than exchanges");
    read_exchange(c, exchange, out);
    read_truth(c, truth, &out->truth);
    if (!slice_eq(out->id, out->truth.id))
        damaged("truths and exchanges do not pair");
    return true;
}
