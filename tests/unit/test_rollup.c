/* Keys, totals and the line on the wire, there and back. */
#include "common/rollup.h"

#include "common/arena.h"
#include "testing.h"

static struct usage call_at(int64_t second)
{
    struct usage u;
    usage_init(&u);
    u.ts_ns = second * 1000000000;
    u.accounting = ACCOUNTING_CALL;
    return u;
}

static void key_takes_hour_and_names(void **state)
{
    (void)state;
    struct usage u = call_at(1795420800 + 3599);
    struct rollup_key k;
    u.app = SLICE("shop");
    u.model = SLICE("gpt-x");
    u.outcome = OUTCOME_RATE_LIMITED;
    usage_set(&u, USAGE_input, 150000);
    usage_set(&u, USAGE_cache_read, 60000);
    assert_int_equal(rollup_key_of(&u, &k), ST_OK);
    assert_int_equal(k.hour, 1795420800);
    assert_true(slice_eq(k.name[ROLLUP_app], SLICE("shop")));
    assert_true(slice_eq(k.name[ROLLUP_model], SLICE("gpt-x")));
    assert_int_equal(k.name[ROLLUP_tier].n, 0);
    assert_int_equal(k.outcome, OUTCOME_RATE_LIMITED);
    assert_int_equal(k.context, usage_context(210000));
    u.ts_ns = USAGE_NO_TIME;
    assert_int_equal(rollup_key_of(&u, &k), ST_BAD);
    u.ts_ns = -1;
    assert_int_equal(rollup_key_of(&u, &k), ST_BAD);
}

static void names_are_cut_clean(void **state)
{
    (void)state;
    static char a199[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    char longer[210];
    static const struct {
        const char *in;
        size_t keep;
    } cases[] = {
        { "gpt", 3 },
        { "", 0 },
        { "a\nb", 1 },
        { "a\x7f", 1 },
        { "gr\xc3\xbc\xc3\x9f", 6 },
        { "a\xff", 1 },
        { "a\xc3", 1 },
        { "\xed\xa0\x80", 0 }, /* a surrogate */
    };
    struct rollup_key k;
    struct usage u = call_at(0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct guarded g = guard_copy(slice_str(cases[i].in));
        u.model = g.s;
        assert_int_equal(rollup_key_of(&u, &k), ST_OK);
        CHECK(k.name[ROLLUP_model].n == cases[i].keep, "case %zu", i);
        guard_release(&g);
    }
    assert_int_equal(strlen(a199), 199);
    snprintf(longer, sizeof longer, "%sbc", a199);
    u.model = slice_str(longer);
    assert_int_equal(rollup_key_of(&u, &k), ST_OK);
    assert_int_equal(k.name[ROLLUP_model].n, 200);
    snprintf(longer, sizeof longer, "%s\xc3\xbc", a199);
    assert_int_equal(rollup_key_of(&u, &k), ST_OK);
    u.model = slice_str(longer);
    assert_int_equal(rollup_key_of(&u, &k), ST_OK);
    assert_int_equal(k.name[ROLLUP_model].n, 199);
}

static void keys_differ_in_every_part(void **state)
{
    (void)state;
    struct rollup_key a = { .hour = 3600 }, b = a;
    assert_true(rollup_key_eq(&a, &b));
    assert_int_equal(rollup_key_hash(&a, 7), rollup_key_hash(&b, 7));
    assert_true(rollup_key_hash(&a, 7) != rollup_key_hash(&a, 8));
    for (unsigned i = 0; i < ROLLUP_NAMES_N; i++) {
        b = a;
        b.name[i] = SLICE("x");
        assert_false(rollup_key_eq(&a, &b));
        assert_true(rollup_key_hash(&a, 7) != rollup_key_hash(&b, 7));
    }
    b = a, b.hour = 7200;
    assert_false(rollup_key_eq(&a, &b));
    b = a, b.seen = SEEN_CAPTURE;
    assert_false(rollup_key_eq(&a, &b));
    b = a, b.outcome = OUTCOME_ERROR;
    assert_false(rollup_key_eq(&a, &b));
    b = a, b.quality = QUALITY_MISSING;
    assert_false(rollup_key_eq(&a, &b));
    b = a, b.context = 1;
    assert_false(rollup_key_eq(&a, &b));
    /* A name must not slide into its neighbour. */
    a.name[ROLLUP_app] = SLICE("ab");
    b = a;
    b.name[ROLLUP_app] = SLICE("a");
    b.name[ROLLUP_environment] = SLICE("b");
    assert_true(rollup_key_hash(&a, 7) != rollup_key_hash(&b, 7));
    a.name[ROLLUP_app] = SLICE("b");
    a.name[ROLLUP_environment] = SLICE("a");
    assert_true(rollup_key_hash(&a, 7) != rollup_key_hash(&b, 7));
}

static void only_calls_and_errors_count(void **state)
{
    (void)state;
    for (int a = ACCOUNTING_NONE; a <= ACCOUNTING_ERROR; a++) {
        struct usage u = { .accounting = (enum accounting)a };
        assert_int_equal(rollup_counts(&u),
                         a == ACCOUNTING_CALL || a == ACCOUNTING_ERROR);
    }
}

static void peaks_are_of_one_minute(void **state)
{
    (void)state;
    /* seconds, and the peak after each */
    static const struct {
        int64_t at;
        uint64_t peak;
    } steps[] = {
        { 3600, 1 }, { 3601, 2 }, { 3660, 2 }, { 3659, 2 }, /* a straggler joins nothing
                                                             */
        { 3661, 2 }, { 3662, 3 }, { 7000, 3 }, { 3600, 3 }, { 3601, 3 },
    };
    struct rollup r = { 0 };
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct usage u = call_at(steps[i].at);
        usage_set(&u, USAGE_output, 10);
        assert_int_equal(rollup_add(&r, &u), ST_OK);
        CHECK(r.peak_calls == steps[i].peak, "step %zu: %llu", i,
              (unsigned long long)r.peak_calls);
        assert_int_equal(r.peak_tokens, 10 * r.peak_calls);
    }
    assert_int_equal(r.calls, COUNT_OF(steps));
    rollup_release(&r);
}

static void errors_add_no_tokens(void **state)
{
    (void)state;
    struct rollup r = { 0 };
    struct usage u = call_at(3600);
    u.accounting = ACCOUNTING_ERROR;
    u.total_us = 1000;
    usage_set(&u, USAGE_input, 99);
    usage_set(&u, USAGE_bytes_up, 5);
    assert_int_equal(rollup_add(&r, &u), ST_OK);
    assert_int_equal(r.calls, 1);
    assert_int_equal(r.v[USAGE_input], 0);
    assert_int_equal(r.v[USAGE_bytes_up], 5);
    assert_int_equal(r.peak_tokens, 0);
    assert_int_equal(r.duration.count, 1);
    assert_int_equal(r.ttft.count, 0);
    rollup_release(&r);
}

static void aggregates_say_nothing_about_peaks(void **state)
{
    (void)state;
    struct rollup r = { 0 };
    struct usage u = call_at(3600);
    u.agg_n = 500;
    u.total_us = 1000;
    usage_set(&u, USAGE_input, 99);
    assert_int_equal(rollup_add(&r, &u), ST_OK);
    assert_int_equal(r.calls, 500);
    assert_int_equal(r.v[USAGE_input], 99);
    assert_int_equal(r.peak_calls, 0);
    assert_int_equal(r.duration.count, 0);
    rollup_release(&r);
}

static void counters_stop_at_the_top(void **state)
{
    (void)state;
    struct rollup r = { 0 }, other = { 0 };
    struct usage u = call_at(3600);
    usage_set(&u, USAGE_input, UINT64_MAX);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rollup_add(&r, &u), ST_OK);
    assert_int_equal(r.v[USAGE_input], ROLLUP_COUNT_MAX);
    other.v[USAGE_input] = other.calls = ROLLUP_COUNT_MAX;
    assert_int_equal(rollup_merge(&r, &other), ST_OK);
    assert_int_equal(r.v[USAGE_input], ROLLUP_COUNT_MAX);
    assert_int_equal(r.calls, ROLLUP_COUNT_MAX);
    rollup_release(&r);
}

static void merge_adds_and_keeps_the_larger_peak(void **state)
{
    (void)state;
    struct rollup a = { .calls = 3, .peak_calls = 2, .peak_tokens = 50 };
    struct rollup b = { .calls = 4, .peak_calls = 3, .peak_tokens = 40 };
    a.v[USAGE_output] = 7;
    b.v[USAGE_output] = 8;
    sketch_add(&a.duration, 1000, 1);
    sketch_add(&b.duration, 1000, 2);
    sketch_add(&b.ttft, 10, 2);
    assert_int_equal(rollup_merge(&a, &b), ST_OK);
    assert_int_equal(a.calls, 7);
    assert_int_equal(a.v[USAGE_output], 15);
    assert_int_equal(a.peak_calls, 3);
    assert_int_equal(a.peak_tokens, 50);
    assert_int_equal(a.duration.count, 3);
    assert_int_equal(a.ttft.count, 2);
    rollup_release(&a);
    rollup_release(&b);
}

static const char *known_line =
    "{\"h\":1795420800,\"ver\":41,\"ep\":1,\"app\":\"shop\",\"prov\":\"openai\","
    "\"model\":\"gpt \\\"x\\\"\",\"surf\":\"openai.chat\",\"src\":\"log\",\"oc\":\"ok\","
    "\"q\":\"exact\",\"ctx\":0,\"n\":12,\"in\":4200,\"cr\":800,\"out\":950,\"pkc\":3,"
    "\"pkt\":1500,\"dur\":\"1000000;346:1\"}\n";

static void known_line_comes_out(void **state)
{
    (void)state;
    struct rollup_row row = { .key = { .hour = 1795420800 }, .ver = 41, .epoch = 1 };
    struct buf out = { 0 };
    row.key.name[ROLLUP_app] = SLICE("shop");
    row.key.name[ROLLUP_provider] = SLICE("openai");
    row.key.name[ROLLUP_model] = SLICE("gpt \"x\"");
    row.key.name[ROLLUP_surface] = SLICE("openai.chat");
    row.total = (struct rollup){ .calls = 12, .peak_calls = 3, .peak_tokens = 1500 };
    row.total.v[USAGE_input] = 4200;
    row.total.v[USAGE_cache_read] = 800;
    row.total.v[USAGE_output] = 950;
    sketch_add(&row.total.duration, 1000000, 1);
    rollup_encode(&row, &out);
    assert_string_equal(buf_cstr(&out), known_line);
    buf_release(&out);
    rollup_release(&row.total);
}

static struct slice random_name(struct rng *r, char *room)
{
    static const char *const parts[] = {
        "a", "B", "-",        "\"",           "\\",
        "/", " ", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x8d\xaf"
    };
    size_t n = 0;
    if (rng_below(r, 3) == 0)
        return slice_of(NULL, 0);
    for (size_t want = rng_below(r, 60); want > 0; want--) {
        struct slice part = slice_str(parts[rng_below(r, COUNT_OF(parts))]);
        if (n + part.n > ROLLUP_NAME_MAX)
            break;
        memcpy(room + n, part.p, part.n);
        n += part.n;
    }
    return slice_of(room, n);
}

static uint64_t random_count(struct rng *r)
{
    return rng_below(r, 2) ? 0 : rng_next(r) >> (1 + rng_below(r, 63));
}

static void random_row(struct rng *r, struct rollup_row *row,
                       char room[ROLLUP_NAMES_N][ROLLUP_NAME_MAX])
{
    *row = (struct rollup_row){ .ver = random_count(r), .epoch = random_count(r) };
    row->key.hour = (int64_t)rng_below(r, 70389528) * ROLLUP_HOUR_S;
    row->key.seen = (enum seen)rng_below(r, 2);
    row->key.outcome = (enum outcome)rng_below(r, OUTCOME_NA + 1);
    row->key.quality = (enum quality)rng_below(r, 3);
    row->key.context = (unsigned)rng_below(r, USAGE_CONTEXTS);
    for (unsigned i = 0; i < ROLLUP_NAMES_N; i++)
        row->key.name[i] = random_name(r, room[i]);
    row->total.calls = random_count(r);
    row->total.peak_calls = random_count(r);
    row->total.peak_tokens = random_count(r);
    for (unsigned f = 0; f < USAGE_N; f++)
        row->total.v[f] = random_count(r);
    for (size_t i = rng_below(r, 50); i-- > 0;) {
        sketch_add(&row->total.duration, rng_next(r) >> (30 + rng_below(r, 30)), 1);
        sketch_add(&row->total.ttft, rng_next(r) >> (30 + rng_below(r, 30)), 1);
    }
}

static void rows_come_back(void **state)
{
    (void)state;
    struct rng r = rng_open("rows");
    struct arena names;
    struct buf first = { 0 }, second = { 0 };
    char room[ROLLUP_NAMES_N][ROLLUP_NAME_MAX];
    arena_init(&names, 1 << 20);
    for (int round = 0; round < 500; round++) {
        struct rollup_row row, back;
        uint64_t unknown = 0;
        const char *why;
        random_row(&r, &row, room);
        buf_reset(&first);
        buf_reset(&second);
        arena_reset(&names);
        rollup_encode(&row, &first);
        struct guarded g = guard_copy(buf_slice(&first));
        enum status st = rollup_decode(g.s, &names, &back, &unknown, &why);
        CHECK(st == ST_OK, "%s: %s", why, buf_cstr(&first));
        assert_int_equal(unknown, 0);
        assert_true(rollup_key_eq(&row.key, &back.key));
        rollup_encode(&back, &second);
        assert_string_equal(buf_cstr(&first), buf_cstr(&second));
        rollup_release(&row.total);
        rollup_release(&back.total);
        guard_release(&g);
    }
    buf_release(&first);
    buf_release(&second);
    arena_release(&names);
}

#define HEAD "{\"h\":3600,\"ver\":1,\"ep\":1,"
#define TAIL "\"src\":\"log\",\"oc\":\"ok\",\"q\":\"exact\",\"ctx\":0,\"n\":1}"
#define HUNDRED                                                                          \
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901" \
    "234567890123456789"

static void bad_lines_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *why; /* NULL: accepted */
    } cases[] = {
        { HEAD TAIL, NULL },
        { HEAD TAIL "\n", NULL },
        { HEAD "\"new\":{\"a\":[1,{}]},\"newer\":null," TAIL, NULL },
        { HEAD "\"app\":\"" HUNDRED HUNDRED "\"," TAIL, NULL },
        { HEAD "\"in\":9223372036854775807," TAIL, NULL },
        { "", "input ends" },
        { "[]", "object" },
        { "1", "object" },
        { "{}", "missing" },
        { HEAD TAIL "x", "text after" },
        { HEAD TAIL HEAD TAIL, "text after" },
        { HEAD "\"src\":\"log\",\"oc\":\"ok\",\"q\":\"exact\",\"n\":1}", "missing" },
        { "{\"ver\":1,\"ep\":1," TAIL, "missing" },
        { "{\"h\":3600,\"ep\":1," TAIL, "missing" },
        { HEAD "\"h\":3600," TAIL, "twice" },
        { HEAD "\"app\":\"a\",\"app\":\"a\"," TAIL, "twice" },
        { "{\"h\":3601,\"ver\":1,\"ep\":1," TAIL, "whole hour" },
        { "{\"h\":253402300800,\"ver\":1,\"ep\":1," TAIL, "whole hour" },
        { "{\"h\":-3600,\"ver\":1,\"ep\":1," TAIL, "integer" },
        { "{\"h\":3600.0,\"ver\":1,\"ep\":1," TAIL, "integer" },
        { "{\"h\":\"3600\",\"ver\":1,\"ep\":1," TAIL, "a number belongs" },
        { HEAD "\"in\":9223372036854775808," TAIL, "integer" },
        { HEAD "\"in\":99999999999999999999," TAIL, "integer" },
        { HEAD "\"in\":1e3," TAIL, "integer" },
        { HEAD "\"in\":true," TAIL, "neither" },
        { HEAD "\"in\":null," TAIL, "neither" },
        { HEAD "\"in\":[1]," TAIL, "neither" },
        { HEAD "\"app\":1," TAIL, "a string belongs" },
        { HEAD "\"app\":\"" HUNDRED HUNDRED "x\"," TAIL, "a name" },
        { HEAD "\"app\":\"" HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED "\\n\"," TAIL,
          "a name" },
        { HEAD "\"app\":\"a\\nb\"," TAIL, "a name" },
        { HEAD "\"app\":\"a\\u0000b\"," TAIL, "a name" },
        { HEAD "\"app\":\"a\xff\"," TAIL, "a name" },
        { HEAD "\"app\":\"a\nb\"," TAIL, "control byte" },
        { HEAD "\"dur\":\"1\"," TAIL, "dur or ttft" },
        { HEAD "\"dur\":1," TAIL, "a string belongs" },
        { HEAD "\"src\":\"disk\"," TAIL, "src" },
        { HEAD "\"oc\":\"fine\"," TAIL, "oc" },
        { HEAD "\"q\":\"good\"," TAIL, "unknown q" },
        { HEAD "\"ctx\":8," TAIL, "ctx" },
        { "{\"h\":3600,", "input ends" },
    };
    struct arena names;
    arena_init(&names, 1 << 16);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct guarded g = guard_copy(slice_str(cases[i].line));
        struct rollup_row row;
        uint64_t unknown = 0;
        const char *why = NULL;
        enum status st = rollup_decode(g.s, &names, &row, &unknown, &why);
        if (!cases[i].why)
            CHECK(st == ST_OK, "%s: %s", cases[i].line, why);
        else
            CHECK(st == ST_BAD && strstr(why, cases[i].why), "%s: %s", cases[i].line,
                  why);
        rollup_release(&row.total);
        guard_release(&g);
    }
    arena_release(&names);
}

static void unknown_fields_are_counted(void **state)
{
    (void)state;
    struct arena names;
    struct rollup_row row;
    uint64_t unknown = 5;
    const char *why;
    arena_init(&names, 4096);
    struct slice line = SLICE(HEAD "\"x\":1,\"y\":{\"h\":1},\"z\":\"\\\"\"," TAIL);
    assert_int_equal(rollup_decode(line, &names, &row, &unknown, &why), ST_OK);
    assert_int_equal(unknown, 8);
    assert_int_equal(row.key.hour, 3600);
    rollup_release(&row.total);
    arena_release(&names);
}

static void a_full_arena_is_no_memory(void **state)
{
    (void)state;
    struct arena names;
    struct rollup_row row;
    uint64_t unknown = 0;
    const char *why;
    arena_init(&names, 4);
    struct slice line = SLICE(HEAD "\"app\":\"a\\u00fcaaaaaaaaaaaaaaaaaaaaa\"," TAIL);
    assert_int_equal(rollup_decode(line, &names, &row, &unknown, &why), ST_NOMEM);
    rollup_release(&row.total);
    arena_release(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_takes_hour_and_names),
        cmocka_unit_test(names_are_cut_clean),
        cmocka_unit_test(keys_differ_in_every_part),
        cmocka_unit_test(only_calls_and_errors_count),
        cmocka_unit_test(peaks_are_of_one_minute),
        cmocka_unit_test(errors_add_no_tokens),
        cmocka_unit_test(aggregates_say_nothing_about_peaks),
        cmocka_unit_test(counters_stop_at_the_top),
        cmocka_unit_test(merge_adds_and_keeps_the_larger_peak),
        cmocka_unit_test(known_line_comes_out),
        cmocka_unit_test(rows_come_back),
        cmocka_unit_test(bad_lines_are_refused),
        cmocka_unit_test(unknown_fields_are_counted),
        cmocka_unit_test(a_full_arena_is_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
