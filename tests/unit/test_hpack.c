/* agent/hpack against libnghttp2's encoder, joined before every block: what is
 * emitted is what was said, in order, and what is not is counted. */
#include "testing.h"

#include "agent/hpack.h"
#include "common/buf.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

enum { BLOCKS = 60, FIELDS = 8 };

struct said {
    struct buf block;
    char text[FIELDS][2][400];
    size_t n;
};

static unsigned next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*seed >> 33);
}

static const char *const names[] = { ":method",        ":path",
                                     ":status",        "content-type",
                                     "content-length", "x-a",
                                     "x-some-name",    "date" };
static const char *const values[] = { "POST", "/v1/chat/completions", "200", "", "7" };

static void write_block(nghttp2_hd_deflater *hd, struct said *s, uint64_t *seed)
{
    nghttp2_nv nv[FIELDS];
    uint8_t room[8192];
    s->n = 1 + next(seed) % FIELDS;
    for (size_t i = 0; i < s->n; i++) {
        char *name = s->text[i][0], *value = s->text[i][1];
        strcpy(name, names[next(seed) % COUNT_OF(names)]);
        strcpy(value, values[next(seed) % COUNT_OF(values)]);
        unsigned longer = next(seed) % 10 ? next(seed) % 3 : next(seed) % 300;
        for (unsigned k = 0; k < longer; k++)
            strcat(value, next(seed) % 2 ? "~" : "e");
        nv[i] = (nghttp2_nv){ (uint8_t *)name, (uint8_t *)value, strlen(name),
                              strlen(value), NGHTTP2_NV_FLAG_NONE };
        if (next(seed) % 9 == 0)
            nv[i].flags = NGHTTP2_NV_FLAG_NO_INDEX;
    }
    if (next(seed) % 10 == 0)
        nghttp2_hd_deflate_change_table_size(hd, next(seed) % 5000);
    ssize_t n = nghttp2_hd_deflate_hd(hd, room, sizeof room, nv, s->n);
    assert_true(n > 0);
    buf_add(&s->block, slice_of(room, (size_t)n));
}

struct hearing {
    const struct said *said;
    size_t at, heard;
    bool wrong;
};

/* Emitted fields are a subsequence of those said. */
static void hear(void *arg, struct slice name, struct slice value)
{
    struct hearing *h = arg;
    while (h->at < h->said->n && !(slice_eq(name, slice_str(h->said->text[h->at][0])) &&
                                   slice_eq(value, slice_str(h->said->text[h->at][1]))))
        h->at++;
    h->wrong |= h->at == h->said->n;
    h->at++;
    h->heard++;
}

static struct hpack *lost_one(void)
{
    struct hpack *h = hpack_new(HPACK_KEEP_ALL);
    assert_non_null(h);
    hpack_lose(h);
    return h;
}

static void joined_before_every_block(void **state)
{
    static struct said said[BLOCKS];
    (void)state;
    for (uint64_t run = 1; run <= 12; run++) {
        uint64_t seed = run;
        nghttp2_hd_deflater *enc;
        nghttp2_hd_deflate_new(&enc, 4096);
        for (size_t b = 0; b < BLOCKS; b++)
            write_block(enc, &said[b], &seed);
        nghttp2_hd_deflate_del(enc);
        for (size_t from = 0; from < BLOCKS; from++) {
            struct hpack *j = from ? lost_one() : hpack_new(HPACK_KEEP_ALL);
            for (size_t b = from; b < BLOCKS; b++) {
                struct hearing h = { .said = &said[b] };
                size_t unknown = 99;
                struct guarded g = guard_copy(buf_slice(&said[b].block));
                bool ok = hpack_block(j, g.s, hear, &h, &unknown);
                guard_release(&g);
                CHECK(ok && !h.wrong, "seed %u from %zu block %zu", (unsigned)run, from,
                      b);
                CHECK(h.heard + unknown == said[b].n,
                      "seed %u from %zu block %zu: %zu+%zu", (unsigned)run, from, b,
                      h.heard, unknown);
                CHECK(from || !unknown, "seed %u block %zu: %zu unknown of the whole",
                      (unsigned)run, b, unknown);
            }
            hpack_free(j);
        }
        for (size_t b = 0; b < BLOCKS; b++)
            buf_release(&said[b].block);
    }
}

static void say(void *arg, struct slice name, struct slice value)
{
    buf_add(arg, name);
    buf_addc(arg, '=');
    buf_add(arg, value);
    buf_addc(arg, ';');
}

#define S(text) SLICE(text)
static const struct {
    const char *name;
    struct slice in[3];
    const char *says; /* "!": refused */
    size_t unknown;   /* of the last block */
} cases[] = {
    { "static", { S("\x83\x88") }, ":method=POST;:status=200;", 0 },
    { "static name beyond a prefix", { S("\x0f\x10\x01x") }, "content-type=x;", 0 },
    { "older than the join", { S("\x83\xbe\xc5") }, ":method=POST;", 2 },
    { "newest",
      { S("\x40\x01"
          "a\x01"
          "b"),
        S("\xbe\xbf") },
      "a=b;a=b;",
      1 },
    { "of an unknown name",
      { S("\x7e\x01"
          "b"),
        S("\xbe"),
        S("\x40\x01"
          "a\x01"
          "b\xbe\xbf") },
      "a=b;a=b;",
      1 },
    { "name of a known entry",
      { S("\x40\x01"
          "a\x01"
          "b"),
        S("\x0f\x2f\x01"
          "c") },
      "a=b;a=c;",
      0 },
    { "Huffman",
      { S("\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff\xbe") },
      ":authority=www.example.com;:authority=www.example.com;",
      0 },
    { "never indexed",
      { S("\x10\x01"
          "a\x01"
          "b\xbe") },
      "a=b;",
      1 },
    { "a new size", { S("\x3f\xe1\x1f\x83") }, ":method=POST;", 0 },
    { "index 0", { S("\x80") }, "!", 0 },
    { "no value",
      { S("\x40\x01"
          "a") },
      "!",
      0 },
    { "a string that is cut",
      { S("\x40\x01"
          "a\x05"
          "b") },
      "!",
      0 },
    { "an endless integer", { S("\xff\xff\xff\xff\xff\xff\xff\x7f") }, "!", 0 },
    { "bad Huffman",
      { S("\x40\x01"
          "a\x84\xff\xff\xff\xff") },
      "!",
      0 },
};

static void by_hand(void **state)
{
    (void)state;
    for (size_t c = 0; c < COUNT_OF(cases); c++) {
        struct hpack *j = lost_one();
        struct buf out = { .p = NULL };
        size_t unknown = 0;
        bool ok = true;
        for (size_t i = 0; i < 3 && cases[c].in[i].n && ok; i++) {
            struct guarded g = guard_copy(cases[c].in[i]);
            ok = hpack_block(j, g.s, say, &out, &unknown);
            guard_release(&g);
        }
        CHECK(!strcmp(ok ? buf_cstr(&out) : "!", cases[c].says), "%s: %s", cases[c].name,
              buf_cstr(&out));
        CHECK(!ok || unknown == cases[c].unknown, "%s: %zu unknown", cases[c].name,
              unknown);
        buf_release(&out);
        hpack_free(j);
    }
}

/* More entries and more bytes than are kept: the newest stay right, the rest is unknown.
 */
static void bounded(void **state)
{
    (void)state;
    for (size_t value = 1; value <= 4000; value += 3999) {
        struct hpack *j = lost_one();
        struct buf out = { .p = NULL }, in = { .p = NULL };
        size_t unknown, n = 1000;
        for (size_t i = 0; i < n; i++) {
            buf_reset(&in);
            buf_add(&in, SLICE("\x40\x01"
                               "a\x7f"));
            size_t len = value + 127;
            buf_addc(&in, (char)(0x80 | ((len - 127) & 0x7f)));
            buf_addc(&in, (char)((len - 127) >> 7));
            for (size_t k = 0; k < len; k++)
                buf_addc(&in, (char)('a' + i % 20));
            assert_true(hpack_block(j, buf_slice(&in), say, &out, &unknown));
            assert_int_equal(unknown, 0);
        }
        buf_reset(&out);
        assert_true(hpack_block(j, SLICE("\xbf"), say, &out, &unknown));
        assert_int_equal(unknown, 0);
        assert_int_equal(buf_slice(&out).p[2], 'a' + (n - 2) % 20);
        assert_true(hpack_block(j, SLICE("\xff\xff\x05"), say, &out, &unknown));
        assert_int_equal(unknown, 1);
        buf_release(&out);
        buf_release(&in);
        hpack_free(j);
    }
}

/* What the table stands for later holds no credential, and its size is as ever. */
static void no_credentials(void **state)
{
    static const char *const said[][3] = {
        { "authorization", "Bearer k", "" },
        { "cookie", "k", "" },
        { "x-amz-security-token", "k", "" },
        { "x-goog-api-key", "k", "" },
        { "x-app", "shop", "shop" },
        { "x-ratelimit-remaining-tokens", "9", "9" },
        { ":authority", "api.openai.com", "api.openai.com" },
        { ":path", "/v1/x", "/v1/x" },
        { ":path", "/v1/x?key=k&alt=sse", "/v1/x" },
        { ":path", "/v1/x?key=k&model=m&b&deployment=d", "/v1/x?model=m&deployment=d" },
        { ":path", "/v1/x?model=m&key=k", "/v1/x?model=m" },
        { "", "", "" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(said); i++) {
        for (int all = 0; all < 2; all++) {
            struct hpack *h = hpack_new(all ? HPACK_KEEP_ALL : HPACK_KEEP_UNREAD);
            struct buf in = { .p = NULL }, out = { .p = NULL }, want = { .p = NULL };
            size_t unknown;
            buf_addc(&in, 0x40);
            for (int k = 0; k < 2; k++) {
                buf_addc(&in, (char)strlen(said[i][k]));
                buf_adds(&in, said[i][k]);
            }
            buf_addc(&in, (char)0xbe);
            assert_true(hpack_block(h, buf_slice(&in), say, &out, &unknown));
            buf_addf(&want, "%s=%s;%s=%s;", said[i][0], said[i][1], said[i][0],
                     said[i][all ? 1 : 2]);
            assert_string_equal(buf_cstr(&out), buf_cstr(&want));
            hpack_free(h);
            buf_release(&in);
            buf_release(&out);
            buf_release(&want);
        }
    }
}

static void add_field(struct buf *in, const char *name, const char *value)
{
    buf_addc(in, 0x40);
    buf_addc(in, (char)strlen(name));
    buf_adds(in, name);
    buf_addc(in, (char)strlen(value));
    buf_adds(in, value);
}

/* Every field that extract, http_notes, http_call and http_two read comes out of the
 * table as it was; of the others nothing does, and they count as ever. */
static void read_and_unread(void **state)
{
    static const char *const read[] = {
        ":method",
        ":path",
        ":authority",
        ":status",
        ":protocol",
        "host",
        "content-type",
        "content-length",
        "content-encoding",
        "transfer-encoding",
        "openai-organization",
        "openai-project",
        "anthropic-organization-id",
        "anthropic-workspace-id",
        "x-goog-user-project",
        "ai-model-id",
        "ai-language-model-id",
        "request-id",
        "x-request-id",
        "apim-request-id",
        "x-amzn-requestid",
        "mistral-correlation-id",
        "x-litellm-call-id",
        "x-correlation-id",
        "cf-aig-cache-status",
        "helicone-cache",
        "x-portkey-cache-status",
        "x-amzn-bedrock-service-tier",
        "x-litellm-response-cost",
        "x-amzn-bedrock-input-token-count",
        "x-amzn-bedrock-output-token-count",
        "x-amzn-bedrock-cache-read-input-token-count",
        "x-prompt-tokens",
        "x-amzn-bedrock-cache-write-input-token-count",
        "x-generated-tokens",
        "fireworks-prompt-tokens",
        "x-stainless-retry-count",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-remaining-tokens",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-tokens-remaining",
        "sec-websocket-extensions",
        "x-app",
    };
    static const char *const unread[] = { "accept",          "date", "server",
                                          "user-agent",      "via",  "x-stainless-lang",
                                          "x-xss-protection" };
    struct buf in = { .p = NULL }, out = { .p = NULL }, want = { .p = NULL };
    size_t unknown;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(read); i++) {
        struct hpack *h = hpack_new(HPACK_KEEP_READ);
        const char *other = unread[i % COUNT_OF(unread)];
        buf_reset(&in);
        buf_reset(&out);
        buf_reset(&want);
        add_field(&in, read[i], "12");
        add_field(&in, other, "something long");
        buf_adds(&in, "\xbe\xbf\x7e\x01v\xbe\xc0"); /* the name of 62, another value */
        assert_true(hpack_block(h, buf_slice(&in), say, &out, &unknown));
        assert_int_equal(unknown, 0);
        buf_addf(&want, "%s=12;%s=something long;%s=12;%s=v;%s=12;", read[i], other,
                 read[i], other, read[i]);
        CHECK(!strcmp(buf_cstr(&out), buf_cstr(&want)), "%s: %s", read[i],
              buf_cstr(&out));
        /* 34 + 52 + 37 bytes: a table of 60 has room for the newest only */
        buf_reset(&out);
        assert_true(hpack_block(h, SLICE("\x3f\x1d\xbe"), say, &out, &unknown));
        assert_int_equal(out.n + unknown, 0);
        assert_false(hpack_block(h, SLICE("\xbf"), say, &out, &unknown));
        hpack_free(h);
    }
    buf_release(&in);
    buf_release(&out);
    buf_release(&want);
}

/* The list is searched by halves: it has to be in order. */
static void unread_in_order(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 200; i++) {
        char name[64];
        struct slice s;
        if (i > hpack_unread(SLICE("x-xss-protection")))
            break;
        s = hpack_unread_name(i);
        snprintf(name, sizeof name, "%.*s-", (int)s.n, s.p);
        CHECK(hpack_unread(s) == i, "%s%u", name, i);
        CHECK(!hpack_unread(slice_str(name)), "%s", name);
        CHECK(!hpack_unread(slice_head(s, s.n - 1)), "less than %s", name);
    }
    assert_int_equal(hpack_unread(SLICE("")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joined_before_every_block),
        cmocka_unit_test(by_hand),
        cmocka_unit_test(bounded),
        cmocka_unit_test(no_credentials),
        cmocka_unit_test(read_and_unread),
        cmocka_unit_test(unread_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
