/* Folding of grouped usage: lines, others, rows, totals; nothing is lost or counted
 * twice. */
#include "testing.h"

#include "collector/breakdown.h"
#include "common/json.h"
#include "common/json_pointer.h"

enum { DAY = 86400, DAYS = 3, MODELS = 5 };

static struct slice names[MODELS] = {
    { "a", 1 }, { "b", 1 }, { "", 0 }, { "<i>", 3 }, { "e", 1 }
};

/* Model m on day d: (m + 1) calls of 100 tokens, dearer with m; the last has no price. */
static struct query_row cell(int d, int m)
{
    uint64_t calls = (uint64_t)m + 1;
    struct query_row r = { .time = (int64_t)d * DAY, .calls = calls };
    r.v[USAGE_input] = calls * 100;
    if (m == MODELS - 1) {
        r.calls_unpriced = calls;
        r.tokens_unpriced = calls * 100;
    } else {
        r.cost = (price_pico)1000000000000 * (unsigned)calls;
    }
    return r;
}

static double number(const struct buf *b, const char *pointer)
{
    return json_pointer_double(buf_slice(b), pointer, -1);
}

/* In an order that no scan would choose: the last day first, with series and without. */
static void fold(int days, struct breakdown_ask *ask, struct buf *out)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    ask->by = ask->classes ? "class" : "model";
    ask->grain = "day";
    ask->to = DAYS * DAY;
    struct breakdown *b = breakdown_new(ask, &a);
    assert_non_null(b);
    for (int d = days - 1; d >= 0; d--)
        for (int m = 0; m < MODELS; m++) {
            struct query_row r = cell(d, m);
            uint32_t series = m % 2 ? (uint32_t)m : 0;
            assert_int_equal(breakdown_add(b, names[m], series, &r), ST_OK);
        }
    assert_int_equal(breakdown_json(b, out), ST_OK);
    arena_release(&a);
}

static enum json_type type_at(const struct buf *b, const char *pointer)
{
    char hold[64];
    struct slice text;
    return json_pointer(buf_slice(b), pointer, hold, sizeof hold, &text);
}

static void test_lines(void **state)
{
    (void)state;
    struct breakdown_ask ask = { .lines = 2, .rows = 10 };
    struct buf b = { 0 };
    fold(DAYS, &ask, &b);
    assert_int_equal(number(&b, "/line/0/cost_usd/2"), 4); /* "<i>", the dearest */
    assert_int_equal(number(&b, "/line/1/cost_usd/0"), 3); /* "" has a line of its own */
    assert_int_equal(type_at(&b, "/line/2/name"), JSON_NULL);
    assert_int_equal(number(&b, "/line/2/values"), 3);
    assert_int_equal(number(&b, "/line/2/calls/1"), 1 + 2 + 5);
    assert_int_equal(number(&b, "/line/2/cost_usd/1"), 1 + 2);
    assert_int_equal(type_at(&b, "/line/3"), JSON_END);
    assert_int_equal(number(&b, "/total/calls"), DAYS * 15);
    assert_int_equal(number(&b, "/total/cost_usd"), DAYS * 10);
    assert_int_equal(number(&b, "/total/calls_unpriced"), DAYS * 5);
    assert_int_equal(type_at(&b, "/total/priced"), JSON_FALSE);
    assert_int_equal(type_at(&b, "/row/4/cost_usd"),
                     JSON_NULL); /* unpriced is not free */
    assert_int_equal(type_at(&b, "/folded"), JSON_NULL);
    char hold[32];
    struct slice text;
    json_pointer(buf_slice(&b), "/time/0", hold, sizeof hold, &text);
    assert_true(slice_eq(text, SLICE("1970-01-01T00:00"))); /* sorted */
    buf_release(&b);
}

static void test_order_and_folded_rows(void **state)
{
    (void)state;
    struct breakdown_ask ask = { .lines = 9, .rows = 2, .order = BREAKDOWN_CALLS };
    struct buf b = { 0 };
    fold(DAYS, &ask, &b);
    assert_int_equal(number(&b, "/row/0/calls"),
                     DAYS * 5); /* the unpriced one is first */
    assert_int_equal(number(&b, "/row/1/calls"), DAYS * 4);
    assert_int_equal(type_at(&b, "/row/2"), JSON_END);
    assert_int_equal(number(&b, "/folded/values"), 3);
    assert_int_equal(number(&b, "/folded/calls"), DAYS * (1 + 2 + 3));
    assert_int_equal(type_at(&b, "/line/0/cost_usd/0"), JSON_NULL);
    buf_release(&b);
}

static void test_classes_and_nothing(void **state)
{
    (void)state;
    struct breakdown_ask ask = { .classes = true, .lines = 1, .rows = 1 };
    struct buf b = { 0 };
    fold(DAYS, &ask, &b);
    assert_int_equal(number(&b, "/line/0/tokens/1"), 1500);
    assert_int_equal(number(&b, "/line/5/tokens/1"), 0);
    assert_int_equal(number(&b, "/row/0/tokens"), DAYS * 1500);
    assert_int_equal(number(&b, "/total/calls"), DAYS * 15);
    buf_reset(&b);
    ask.classes = false;
    fold(0, &ask, &b);
    assert_int_equal(type_at(&b, "/line/0"), JSON_END);
    assert_int_equal(number(&b, "/total/calls"), 0);
    buf_release(&b);
}

static void test_ceiling(void **state)
{
    (void)state;
    struct breakdown_ask ask = { .lines = 1, .rows = 1, .by = "model", .grain = "day" };
    struct arena a;
    arena_init(&a, 4096);
    struct breakdown *b = breakdown_new(&ask, &a);
    enum status st = ST_OK;
    for (int d = 0; b && d < 1000 && st == ST_OK; d++) {
        struct query_row r = cell(d, 0);
        st = breakdown_add(b, names[0], 0, &r);
    }
    assert_int_equal(st, ST_LIMIT);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_order_and_folded_rows),
        cmocka_unit_test(test_classes_and_nothing),
        cmocka_unit_test(test_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
