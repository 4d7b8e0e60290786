/* agent/dedup: each call counts once, with its final numbers, whatever repeats it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/dedup.h"

struct record {
    const char *provider, *response, *request;
    enum accounting accounting;
    int64_t second;
    uint64_t in, cached, out, searches;
};

static struct usage usage_of(const struct record *r)
{
    struct usage u;
    usage_init(&u);
    u.provider = slice_str(r->provider);
    u.response_id = slice_str(r->response);
    u.request_id = slice_str(r->request);
    u.accounting = r->accounting;
    u.ts_ns = (1700000000 + r->second) * 1000000000;
    u.total_us = 5;
    if (r->in || r->out || r->cached) {
        usage_set(&u, USAGE_input, r->in);
        usage_set(&u, USAGE_cache_read, r->cached);
        usage_set(&u, USAGE_output, r->out);
    }
    if (r->searches)
        usage_set(&u, USAGE_web_searches, r->searches);
    return u;
}

#define LONG "msg_0123456789abcdef"
#define CALL ACCOUNTING_CALL
#define ERR  ACCOUNTING_ERROR
#define DEF  ACCOUNTING_DEFERRED
#define REP  ACCOUNTING_REPORT
#define FREE ACCOUNTING_FREE

static const struct {
    const char *name;
    struct record a, b;
    enum dedup_verdict second;
    uint64_t in, cached, out, searches; /* of the second, after the verdict */
} pairs[] = {
    { "the same line twice",
      { "anthropic", LONG, "r", CALL, 0, 5, 100, 20, 0 },
      { "anthropic", LONG, "r", CALL, 0, 5, 100, 20, 0 },
      DEDUP_AGAIN,
      5,
      100,
      20,
      0 },
    { "a preliminary output, then the final one",
      { "anthropic", LONG, "r", CALL, 0, 5, 100, 1, 0 },
      { "anthropic", LONG, "r", CALL, 3, 5, 100, 210, 2 },
      DEDUP_GROWN,
      0,
      0,
      209,
      2 },
    { "the final one first",
      { "anthropic", LONG, "r", CALL, 0, 5, 100, 210, 0 },
      { "anthropic", LONG, "q", CALL, 3, 5, 100, 1, 0 },
      DEDUP_AGAIN,
      5,
      100,
      1,
      0 },
    { "without usage, then with",
      { "openai", LONG, "", CALL, 0, 0, 0, 0, 0 },
      { "openai", LONG, "", CALL, 3, 5, 100, 7, 0 },
      DEDUP_GROWN,
      5,
      100,
      7,
      0 },
    { "split otherwise by a proxy: only output grows",
      { "anthropic", LONG, "", CALL, 0, 105, 0, 7, 0 },
      { "litellm", LONG, "", CALL, 0, 5, 100, 9, 0 },
      DEDUP_GROWN,
      0,
      0,
      2,
      0 },
    { "units that were counted do not count again",
      { "anthropic", LONG, "", CALL, 0, 5, 0, 7, 1 },
      { "anthropic", LONG, "", CALL, 0, 5, 0, 9, 2 },
      DEDUP_GROWN,
      0,
      0,
      2,
      0 },
    { "short ids of different providers",
      { "openai", "chatcmpl-1", "", CALL, 0, 5, 0, 7, 0 },
      { "mistral", "chatcmpl-1", "", CALL, 0, 5, 0, 7, 0 },
      DEDUP_NEW,
      5,
      0,
      7,
      0 },
    { "a short id of a hosted provider",
      { "openai", "chatcmpl-1", "", CALL, 0, 5, 0, 7, 0 },
      { "openai", "chatcmpl-1", "", CALL, 9, 5, 0, 7, 0 },
      DEDUP_AGAIN,
      5,
      0,
      7,
      0 },
    { "a short id of a server that counts from 0",
      { "selfhosted", "chatcmpl-1", "", CALL, 0, 5, 0, 7, 0 },
      { "selfhosted", "chatcmpl-1", "", CALL, 9, 5, 0, 7, 0 },
      DEDUP_NEW,
      5,
      0,
      7,
      0 },
    { "the same second and counts as well",
      { "selfhosted", "chatcmpl-1", "", CALL, 0, 5, 0, 7, 0 },
      { "selfhosted", "chatcmpl-1", "", CALL, 0, 5, 0, 7, 0 },
      DEDUP_AGAIN,
      5,
      0,
      7,
      0 },
    { "two calls of one request",
      { "openai", "", LONG, CALL, 0, 5, 0, 7, 0 },
      { "openai", "", LONG, CALL, 0, 6, 0, 7, 0 },
      DEDUP_NEW,
      6,
      0,
      7,
      0 },
    { "one call of a request, logged twice",
      { "openai", "", LONG, CALL, 0, 5, 0, 7, 0 },
      { "openai", "", LONG, CALL, 2, 5, 0, 7, 0 },
      DEDUP_AGAIN,
      5,
      0,
      7,
      0 },
    { "no id",
      { "openai", "", "", CALL, 0, 5, 0, 7, 0 },
      { "openai", "", "", CALL, 0, 5, 0, 7, 0 },
      DEDUP_NEW,
      5,
      0,
      7,
      0 },
    { "a stored reply read again",
      { "openai", LONG, "", CALL, 0, 5, 0, 7, 0 },
      { "openai", LONG, "", REP, 2, 5, 0, 7, 0 },
      DEDUP_AGAIN,
      5,
      0,
      7,
      0 },
    { "a background reply completes",
      { "openai", LONG, "", DEF, 0, 0, 0, 0, 0 },
      { "openai", LONG, "", REP, 2, 5, 0, 7, 0 },
      DEDUP_NEW,
      5,
      0,
      7,
      0 },
    { "a background reply is still pending",
      { "openai", LONG, "", DEF, 0, 0, 0, 0, 0 },
      { "openai", LONG, "", REP, 2, 0, 0, 0, 0 },
      DEDUP_AGAIN,
      0,
      0,
      0,
      0 },
    { "an error logged twice",
      { "openai", "", LONG, ERR, 0, 0, 0, 0, 0 },
      { "openai", "", LONG, ERR, 0, 0, 0, 0, 0 },
      DEDUP_AGAIN,
      0,
      0,
      0,
      0 },
    { "free requests are not kept",
      { "openai", LONG, "", FREE, 0, 0, 0, 0, 0 },
      { "openai", LONG, "", FREE, 0, 0, 0, 0, 0 },
      DEDUP_NEW,
      0,
      0,
      0,
      0 },
};

static void test_pairs(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof pairs / sizeof *pairs; c++) {
        struct dedup *d = dedup_new(100);
        struct usage a = usage_of(&pairs[c].a), b = usage_of(&pairs[c].b);
        assert_int_equal(dedup_judge(d, &a), DEDUP_NEW);
        enum dedup_verdict got = dedup_judge(d, &b);
        if (got != pairs[c].second || b.v[USAGE_input] != pairs[c].in ||
            b.v[USAGE_cache_read] != pairs[c].cached ||
            b.v[USAGE_output] != pairs[c].out ||
            b.v[USAGE_web_searches] != pairs[c].searches)
            fail_msg("%s: verdict %d", pairs[c].name, (int)got);
        if (got == DEDUP_GROWN)
            assert_true(b.agg_n == 0 && b.total_us == -1);
        struct usage third = usage_of(&pairs[c].b);
        if (pairs[c].a.accounting == CALL && *pairs[c].b.response &&
            got != DEDUP_NEW) /* whatever it was, a third time adds nothing */
            assert_int_equal(dedup_judge(d, &third), DEDUP_AGAIN);
        dedup_free(d);
    }
}

static void test_completed_reply_counts_once(void **state)
{
    (void)state;
    struct dedup *d = dedup_new(100);
    struct record r = { "openai", LONG, "", DEF, 0, 0, 0, 0, 0 };
    struct usage u = usage_of(&r);
    dedup_judge(d, &u);
    r = (struct record){ "openai", LONG, "", REP, 1, 5, 0, 7, 0 };
    u = usage_of(&r);
    assert_int_equal(dedup_judge(d, &u), DEDUP_NEW);
    assert_int_equal(u.accounting, ACCOUNTING_CALL);
    assert_int_equal(u.total_us, 5);
    u = usage_of(&r);
    assert_int_equal(dedup_judge(d, &u), DEDUP_AGAIN);
    dedup_free(d);
}

/* --- the table against a naive list --- */

static uint64_t next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

enum { ROUNDS = 20000, IDS = 300 };

static void run_against_list(size_t window, uint64_t seed)
{
    uint64_t arrived[IDS] = { 0 }, out[IDS] = { 0 }, distinct = 0;
    struct dedup *d = dedup_new(window);
    for (int round = 0; round < ROUNDS; round++) {
        unsigned id = (unsigned)(next(&seed) % IDS);
        char name[48];
        snprintf(name, sizeof name, "chatcmpl-%032x", id);
        struct record r = { "p", name, "", CALL, round, 3, 0, next(&seed) % 50, 0 };
        struct usage u = usage_of(&r);
        enum dedup_verdict want = DEDUP_NEW, got = dedup_judge(d, &u);
        bool known = arrived[id] && distinct - arrived[id] < window;
        if (known)
            want = r.out > out[id] ? DEDUP_GROWN : DEDUP_AGAIN;
        else
            arrived[id] = ++distinct;
        if (got != want)
            fail_msg("window %zu, round %d: %d, not %d", window, round, (int)got,
                     (int)want);
        if (want == DEDUP_GROWN)
            assert_int_equal(u.v[USAGE_output], r.out - out[id]);
        out[id] = known && r.out < out[id] ? out[id] : r.out;
    }
    uint64_t held = distinct < window ? distinct : window;
    assert_int_equal(dedup_stats(d)->known, held);
    assert_int_equal(dedup_stats(d)->forgotten, distinct - held);
    dedup_free(d);
}

static void test_against_list(void **state)
{
    (void)state;
    static const size_t windows[] = { 16, 17, 64, 100, 299, 300, 4000 };
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
        run_against_list(windows[i], 7 + i);
}

struct saved {
    struct dedup_entry e[4096];
    size_t n;
};

static void save(void *arg, const struct dedup_entry *e)
{
    struct saved *s = arg;
    assert_true(s->n < 4096);
    s->e[s->n++] = *e;
}

static enum dedup_verdict judge_id(struct dedup *d, unsigned id, uint64_t out)
{
    char name[48];
    snprintf(name, sizeof name, "chatcmpl-%032x", id);
    struct record r = { "p", name, "", CALL, 0, 3, 0, out, 0 };
    struct usage u = usage_of(&r);
    return dedup_judge(d, &u);
}

static void copy_entry(void *arg, const struct dedup_entry *e)
{
    struct dedup_entry **to = arg;
    *(*to)++ = *e;
}

static void test_save_load_widen(void **state)
{
    (void)state;
    struct dedup *d = dedup_new(50), *e = dedup_new(50);
    static struct saved s;
    for (unsigned i = 0; i < 70; i++)
        assert_int_equal(judge_id(d, i, 1), DEDUP_NEW);
    dedup_changed(d, save, &s);
    assert_int_equal(s.n, 50); /* the newest, oldest first */
    for (size_t i = 0; i < s.n; i++)
        assert_int_equal(dedup_load(e, &s.e[i]), ST_OK);
    dedup_saved(d);
    s.n = 0;
    dedup_changed(d, save, &s);
    assert_int_equal(s.n, 0);
    assert_int_equal(judge_id(d, 30, 1), DEDUP_AGAIN);
    assert_int_equal(judge_id(d, 69, 5), DEDUP_GROWN);
    dedup_changed(d, save, &s);
    assert_int_equal(s.n, 1);
    assert_int_equal(dedup_load(e, &s.e[0]), ST_OK);
    for (unsigned i = 20; i < 70; i++)
        assert_int_equal(judge_id(e, i, i == 69 ? 5 : 1), DEDUP_AGAIN);
    assert_int_equal(judge_id(e, 19, 1), DEDUP_NEW); /* now 20 is the one forgotten */
    dedup_widen(e, 3000);
    for (unsigned i = 100; i < 2000; i++)
        assert_int_equal(judge_id(e, i, 1), DEDUP_NEW);
    for (unsigned i = 21; i < 70; i++)
        assert_int_equal(judge_id(e, i, 1), DEDUP_AGAIN);
    s.e[0].seen = (uint32_t)1 << 29;
    assert_int_equal(dedup_load(e, &s.e[0]), ST_BAD);
    dedup_free(d);
    dedup_free(e);
}

/* Given back and loaded again, it knows what it knew and has counted what it had. */
static void test_unload(void **state)
{
    (void)state;
    enum { N = 3000, WINDOW = 2500 };
    static struct dedup_entry e[N];
    struct dedup *d = dedup_new(WINDOW);
    struct dedup_entry *to = e;
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(judge_id(d, i, 1), DEDUP_NEW);
    dedup_changed(d, copy_entry, &to);
    dedup_saved(d);
    assert_int_equal(to - e, WINDOW);
    size_t bytes = dedup_stats(d)->bytes;
    assert_true(dedup_unload(d));
    assert_true(dedup_stats(d)->bytes < bytes / 2);
    assert_int_equal(dedup_stats(d)->known, 0);
    assert_false(dedup_unload(d)); /* it is small */
    for (size_t i = 0; i < WINDOW; i++)
        assert_int_equal(dedup_load(d, &e[i]), ST_OK);
    assert_int_equal(dedup_stats(d)->known, WINDOW);
    assert_int_equal(dedup_stats(d)->forgotten, N - WINDOW);
    for (unsigned i = N - WINDOW; i < N; i++)
        assert_int_equal(judge_id(d, i, 1), DEDUP_AGAIN);
    assert_int_equal(judge_id(d, 0, 1), DEDUP_NEW);
    dedup_free(d);
}

/* A captured call of a cloud, its cloud's own log and the application's: one. */
static void clouds_log_the_request(void **state)
{
    static const struct record wire = {
        "azure_openai", "chatcmpl-0123456789", "0a1b2c3d-4e5f-6789", CALL, 0, 50, 0, 7, 0
    };
    static const struct record app = {
        "azure_openai", "chatcmpl-0123456789", "", CALL, 1, 50, 0, 7, 0
    };
    static const struct record bare = {
        "azure_openai", "0a1b2c3d-4e5f-6789", "", CALL, 1, 0, 0, 0, 0
    };
    static const struct record full = {
        "azure_openai", "0a1b2c3d-4e5f-6789", "", CALL, 1, 50, 0, 7, 0
    };
    static const struct record *const orders[][4] = {
        { &wire, &bare, &full, &app }, { &bare, &wire, &full, &app },
        { &app, &wire, &full, &bare }, { &full, &bare, &wire, &app },
        { &bare, &full, &wire, &app }, { &app, &wire, &bare, &full },
    };
    (void)state;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        struct dedup *d = dedup_new(64);
        uint64_t calls = 0, in = 0, out = 0;
        for (size_t j = 0; j < 4; j++) {
            struct usage u = usage_of(orders[i][j]);
            u.seen = orders[i][j] == &wire ? SEEN_CAPTURE : SEEN_LOG;
            if (dedup_judge(d, &u) == DEDUP_AGAIN)
                continue;
            calls += u.agg_n;
            in += u.v[USAGE_input];
            out += u.v[USAGE_output];
        }
        assert_int_equal(calls, 1);
        assert_int_equal(in, 50);
        assert_int_equal(out, 7);
        dedup_free(d);
    }
}

/* Converse has no id in its body; its log has none but the request's. */
static void bedrock_by_request(void **state)
{
    struct record wire = { "bedrock", "", "0a1b2c3d-4e5f-6789", CALL, 0, 50, 0, 7, 0 };
    struct record log = { "bedrock", "0a1b2c3d-4e5f-6789", "", CALL, 0, 50, 0, 7, 0 };
    struct dedup *d = dedup_new(64);
    struct usage a = usage_of(&wire), b = usage_of(&log);
    (void)state;
    a.seen = SEEN_CAPTURE;
    assert_int_equal(dedup_judge(d, &a), DEDUP_NEW);
    assert_int_equal(dedup_judge(d, &b), DEDUP_AGAIN);
    dedup_free(d);
}

static void passes_are_apart(void **state)
{
    struct record r = { "anthropic", LONG, "", CALL, 0, 5, 0, 20, 0 };
    struct dedup *d = dedup_new(64);
    (void)state;
    for (int again = 0; again < 2; again++)
        for (uint16_t pass = 0; pass < 3; pass++) {
            struct usage u = usage_of(&r);
            u.pass = pass;
            assert_int_equal(dedup_judge(d, &u), again ? DEDUP_AGAIN : DEDUP_NEW);
        }
    dedup_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clouds_log_the_request),
        cmocka_unit_test(bedrock_by_request),
        cmocka_unit_test(passes_are_apart),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_completed_reply_counts_once),
        cmocka_unit_test(test_against_list),
        cmocka_unit_test(test_save_load_widen),
        cmocka_unit_test(test_unload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
