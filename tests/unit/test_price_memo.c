/* Remembered prices are those of price_usage, whatever the order of days and series. */
#include "testing.h"

#include "collector/price_memo.h"
#include "common/price_book.h"

static uint64_t next(uint64_t *s)
{
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return *s >> 33;
}

static void test_same_as_price_usage(void **state)
{
    (void)state;
    struct price_book *book;
    struct buf why = { 0 };
    uint64_t seed = 20261129, priced = 0;
    assert_int_equal(price_book_open(NULL, NULL, &book, &why), ST_OK);
    const struct price_tables *t = price_book_prices(book);
    struct price_memo *m = price_memo_new(book);
    for (int i = 0; i < 200000; i++) {
        uint32_t n = (uint32_t)(next(&seed) % t->n_names);
        const struct price_name *name = &t->name[n];
        struct price_query q = {
            .provider = slice_str(t->text + t->provider[name->provider].name),
            .model = slice_str(t->text + name->name),
            /* 2022 to 2028, in runs of days as a scan has them */
            .day = (19000 + (int64_t)(next(&seed) % 2500 / (i % 7 ? 2500 : 1))) * 86400,
        };
        uint64_t v[USAGE_N] = { [USAGE_input] = next(&seed) % 9999, [USAGE_output] = 7 };
        uint32_t series = n + (next(&seed) & 1 ? 1 : 4097); /* two share an entry */
        struct price_cost want = price_usage(book, &q, 3, v);
        struct price_cost got = price_memo_usage(m, series, &q, 3, v);
        if (got.pico != want.pico || got.priced != want.priced ||
            got.unpriced != want.unpriced)
            fail_msg("%s on day %lld", q.model.p, (long long)(q.day / 86400));
        priced += got.priced;
    }
    assert_true(priced > 1000);
    price_memo_free(m);
    price_book_free(book);
    buf_release(&why);
}

static void test_without_a_book(void **state)
{
    (void)state;
    struct price_memo *m = price_memo_new(NULL);
    uint64_t v[USAGE_N] = { 1 };
    struct price_query q = { .provider = SLICE("openai"), .model = SLICE("gpt-4o") };
    assert_false(price_memo_usage(m, 1, &q, 1, v).priced);
    price_memo_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_price_usage),
        cmocka_unit_test(test_without_a_book),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
