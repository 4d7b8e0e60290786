/* Usage grouped and priced: against a model, with money to the last digit; JSON and CSV.
 */
#include "testing.h"

#include "collector/api.h"
#include "collector/export.h"
#include "collector/profile.h"

#define DAY INT64_C(86400)
#define T0  INT64_C(1793491200) /* 2026-11-01 */

/* A store in memory: hands out the rows of an array, in the given order. */
struct fake {
    struct store base;
    struct store_row row[64];
    struct slice dim[64][STORE_AGENT];
    size_t n;
    struct store_query asked;
};

static enum status fake_scan(struct store *s, const struct store_query *q,
                             store_row_fn *fn, void *arg)
{
    struct fake *f = (struct fake *)(void *)s;
    enum status st = ST_OK;
    f->asked = *q;
    for (size_t i = 0; i < f->n && st == ST_OK; i++)
        st = fn(arg, &f->row[i]);
    return st;
}

static const struct store_engine fake_engine = { .name = "fake", .scan = fake_scan };

static struct store_row *add_row(struct fake *f, int64_t time, const char *app,
                                 const char *model, uint64_t calls)
{
    struct store_row *r = &f->row[f->n];
    struct slice *d = f->dim[f->n++];
    d[STORE_app] = slice_str(app);
    d[STORE_model] = slice_str(model);
    d[STORE_provider] = SLICE("openai");
    d[STORE_OUTCOME] = SLICE("ok");
    d[STORE_QUALITY] = SLICE("exact");
    d[STORE_CONTEXT] = SLICE("0");
    *r = (struct store_row){
        .time = time, .series = (uint32_t)f->n, .dim = d, .calls = calls
    };
    r->v[USAGE_input] = calls * 1000;
    r->v[USAGE_output] = calls * 10;
    r->peak_calls = calls;
    return r;
}

static void fill(struct fake *f)
{
    *f = (struct fake){ .base = { &fake_engine } };
    add_row(f, T0, "tutor", "gpt-4o", 5);
    add_row(f, T0, "shop", "no-such-model", 7);
    add_row(f, T0, "shop", "gpt-4o", 11);
    f->dim[add_row(f, T0, "shop", "gpt-4o", 13) - f->row][STORE_QUALITY] =
        SLICE("estimated");
    struct store_row *failed = add_row(f, T0, "shop", "no-such-model", 17);
    f->dim[failed - f->row][STORE_OUTCOME] = SLICE("error");
    failed->v[USAGE_input] = failed->v[USAGE_output] = 0;
    add_row(f, T0 + DAY, "shop", "gpt-4o", 3);
}

static struct price_book *open_book(void)
{
    struct price_book *book;
    struct buf why = { 0 };
    CHECK(price_book_open(NULL, NULL, &book, &why) == ST_OK, "%s", buf_cstr(&why));
    buf_release(&why);
    return book;
}

static void test_groups(void **state)
{
    (void)state;
    struct fake f;
    struct arena a;
    struct query_result r;
    struct price_book *book = open_book();
    fill(&f);
    arena_init(&a, 1 << 20);
    struct store_query q = {
        .from = T0, .to = T0 + 2 * DAY, .grain = STORE_DAY, .group = store_bit(STORE_app)
    };
    assert_int_equal(query_usage(&f.base, book, &q, &a, &r), ST_OK);
    assert_int_equal(r.rows, 3);
    const struct query_row *shop = &r.row[0], *tutor = &r.row[1], *later = &r.row[2];
    assert_true(slice_eq(query_dim(&r, shop, STORE_app), SLICE("shop")));
    assert_true(slice_eq(query_dim(&r, tutor, STORE_app), SLICE("tutor")));
    assert_int_equal(query_dim(&r, tutor, STORE_model).n, 0);
    assert_int_equal(later->time, T0 + DAY);
    assert_int_equal(shop->calls, 7 + 11 + 13 + 17);
    assert_int_equal(shop->calls_estimated, 13);
    assert_int_equal(shop->calls_failed, 17);
    assert_int_equal(shop->calls_unpriced,
                     7); /* a failed call without tokens costs nothing */
    assert_int_equal(shop->tokens_unpriced, 7 * 1010);
    assert_int_equal(shop->peak_calls, 17);
    assert_int_equal(shop->series, 2);
    assert_false(query_priced(shop));
    assert_true(query_priced(tutor));
    /* gpt-4o: $2.50 in, $10 out per million */
    assert_true(shop->cost ==
                (price_pico)24 * (1000 * UINT64_C(2500000) + 10 * 10000000));
    assert_true(tutor->cost ==
                (price_pico)5 * (1000 * UINT64_C(2500000) + 10 * 10000000));

    q.grain = STORE_TOTAL;
    q.group = 0;
    assert_int_equal(query_usage(&f.base, NULL, &q, &a, &r), ST_OK);
    assert_int_equal(r.rows, 1);
    assert_int_equal(r.row->time, 0);
    assert_int_equal(r.row->calls, 56);
    assert_int_equal(r.row->calls_unpriced, 39); /* no book: all that is billable */
    arena_release(&a);
    price_book_free(book);
}

/* Rows one by one: the first `most` of them. */
struct some {
    struct query_row row[8];
    size_t n, most;
};

static enum status take(void *arg, const struct query_row *row)
{
    struct some *s = arg;
    if (s->n == s->most)
        return ST_END;
    s->row[s->n++] = *row;
    return ST_OK;
}

static void test_one_by_one(void **state)
{
    (void)state;
    struct fake f;
    struct arena a;
    fill(&f); /* 5 rows of 3 groups on the first day, 1 on the second */
    arena_init(&a, 1 << 20);
    struct store_query q = { .from = T0,
                             .to = T0 + 2 * DAY,
                             .grain = STORE_DAY,
                             .group = store_bit(STORE_app) | store_bit(STORE_model) };
    for (size_t most = 0; most < 6; most++) {
        struct some s = { .most = most };
        assert_int_equal(query_groups(&f.base, NULL, &q, &a, take, &s), ST_OK);
        CHECK(s.n == (most < 4 ? most : 4), "%zu: %zu rows", most, s.n);
        if (most > 2)
            CHECK(s.row[2].calls == 5 && s.row[2].group == 0, "tutor is the last");
        if (most < 4)
            continue;
        assert_int_equal(s.row[3].group, s.row[0].group); /* shop, gpt-4o again */
        assert_true(s.row[3].dim == s.row[0].dim);
        assert_int_equal(s.row[3].calls, 3);
        assert_int_equal(s.row[3].calls_estimated, 0); /* nothing is left of before */
    }
    arena_release(&a);
}

static void test_saturation_and_limit(void **state)
{
    (void)state;
    struct fake f;
    struct arena a;
    struct query_result r;
    fill(&f);
    f.row[1].v[USAGE_input] = f.row[2].v[USAGE_input] = UINT64_MAX - 5;
    arena_init(&a, 1 << 20);
    struct store_query q = { .from = T0, .to = T0 + DAY };
    assert_int_equal(query_usage(&f.base, NULL, &q, &a, &r), ST_OK);
    assert_true(r.row->v[USAGE_input] == UINT64_MAX);
    arena_release(&a);
    arena_init(&a, 256);
    q.group = store_bit(STORE_model);
    assert_int_equal(query_usage(&f.base, NULL, &q, &a, &r), ST_LIMIT);
    arena_release(&a);
}

static void test_profile(void **state)
{
    (void)state;
    struct fake f;
    struct query_profile p;
    fill(&f);
    struct store_query q = { .from = T0 - DAY, .to = T0 + 3 * DAY };
    assert_int_equal(query_profile(&f.base, &q, &p), ST_OK);
    /* 2026-11-01 is a Sunday: hour 144 of the week; the day after, hour 0 */
    assert_int_equal(p.calls[144], 53);
    assert_int_equal(p.calls[0], 3);
    assert_int_equal(p.hours[144], 1);
    assert_int_equal(p.hours[150], 1);
    assert_int_equal(p.hours[1], 0);
    assert_int_equal(p.first_hour, T0);
    assert_int_equal(p.last_hour, T0 + DAY);
    assert_int_equal(p.peak_calls, 53);
    assert_true(p.peak_to_mean > 53.0 * 60 * 25 / 56 - 1e-6 &&
                p.peak_to_mean < 53.0 * 60 * 25 / 56 + 1e-6);
}

static void test_export(void **state)
{
    (void)state;
    struct fake f;
    struct arena a;
    struct query_result r;
    struct buf out = { 0 };
    struct price_book *book = open_book();
    fill(&f);
    f.dim[1][STORE_app] = SLICE("=SUM(A1)\",\n");
    arena_init(&a, 1 << 20);
    struct store_query q = {
        .from = T0, .to = T0 + DAY, .grain = STORE_DAY, .group = store_bit(STORE_app)
    };
    query_usage(&f.base, book, &q, &a, &r);
    export_usage(&r, q.grain, EXPORT_CSV, &out);
    const char *csv = buf_cstr(&out);
    assert_non_null(strstr(csv, "time,app,calls,input,"));
    assert_non_null(strstr(csv, "\"'=SUM(A1)\"\",\n\",7,7000,"));
    assert_non_null(strstr(csv, ",,false,7,7070,\r\n")); /* cost is empty, not 0 */
    buf_reset(&out);
    export_usage(&r, q.grain, EXPORT_JSON, &out);
    assert_non_null(strstr(buf_cstr(&out), "\"cost_usd\":null,\"priced\":false"));
    assert_non_null(strstr(buf_cstr(&out), "{\"time\":\"2026-11-01T00:00:00Z\","));
    assert_null(strstr(buf_cstr(&out), "\"images\"")); /* never above zero */
    buf_reset(&out);
    r.rows = 0;
    export_usage(&r, q.grain, EXPORT_JSON, &out);
    assert_string_equal(buf_cstr(&out), "[]\n");
    buf_release(&out);
    arena_release(&a);
    price_book_free(book);
}

static void test_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        bool fine;
        int64_t from, to; /* 0: the default */
    } rows[] = {
        { "from", "2026-11-01", true, T0, 0 },
        { "from", "2026-11-01T00:00:00Z", true, T0, 0 },
        { "from", "1793491200", true, T0, 0 },
        { "from", "1793491200000", true, T0, 0 },
        { "to", "2026-11-02", true, 0, T0 + 2 * DAY }, /* that day included */
        { "to", "2026-11-02T00:00:00Z", true, 0, T0 + DAY },
        { "from", "soon", false, 0, 0 },
        { "from", "2027-01-01", false, 0, 0 }, /* not before now */
        { "group_by", "model,app", true, 0, 0 },
        { "group_by", "model,", false, 0, 0 },
        { "grain", "week", true, 0, 0 },
        { "grain", "year", false, 0, 0 },
        { "offset", " 02:00", true, 0, 0 },
        { "offset", "-05:30", true, 0, 0 },
        { "offset", "Berlin", false, 0, 0 },
        { "model", "x", true, 0, 0 },
        { "modle", "x", false, 0, 0 },
        { "_", "123", true, 0, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena a;
        struct store_query q;
        struct api_reply reply = { .status = 200 };
        struct api_param p = { slice_str(rows[i].name), slice_str(rows[i].value) };
        arena_init(&a, 1 << 16);
        struct api_request request = {
            .param = &p, .params = 1, .now_s = T0 + 20 * DAY + 5, .arena = &a
        };
        bool ok = api_query(&request, STORE_DAY, &q, &reply);
        CHECK(ok == rows[i].fine, "%s=%s: %s", rows[i].name, rows[i].value,
              buf_cstr(&reply.body));
        CHECK(ok || reply.status == 400, "%s", rows[i].value);
        if (rows[i].from)
            CHECK(q.from == rows[i].from, "%s", rows[i].value);
        if (rows[i].to)
            CHECK(q.to == rows[i].to, "%s", rows[i].value);
        buf_release(&reply.body);
        arena_release(&a);
    }
}

/* A date is a day of the zone that the query asks for, wherever the zone stands. */
static void test_dates_of_a_zone(void **state)
{
    (void)state;
    struct arena a;
    struct store_query q;
    struct api_reply reply = { .status = 200 };
    struct api_param p[] = { { SLICE("from"), SLICE("2026-11-01") },
                             { SLICE("to"), SLICE("2026-11-02") },
                             { SLICE("offset"), SLICE("+02:00") } };
    arena_init(&a, 1 << 16);
    for (int i = 0; i < 2; i++) {
        struct api_request request = {
            .param = p, .params = 3, .now_s = T0 + 20 * DAY, .arena = &a
        };
        assert_true(api_query(&request, STORE_DAY, &q, &reply));
        assert_int_equal(q.from, T0 - 7200);
        assert_int_equal(q.to, T0 + 2 * DAY - 7200);
        struct api_param swap = p[0];
        p[0] = p[2];
        p[2] = swap;
    }
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_saturation_and_limit),
        cmocka_unit_test(test_one_by_one),
        cmocka_unit_test(test_profile),
        cmocka_unit_test(test_export),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_dates_of_a_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
