/* Files of the page: names, content coding, conditional requests. */
#include "testing.h"

#include "collector/web.h"

static void test_find(void **state)
{
    (void)state;
    const struct web_asset *a = web_find(SLICE("index.html"));
    assert_non_null(a);
    assert_true(a->plain.end > a->plain.begin);
    assert_memory_equal(a->packed.begin, "\x1f\x8b", 2);
    assert_string_not_equal(a->plain.etag, a->packed.etag);
    assert_int_equal(strlen(a->plain.etag), 66); /* SHA-256 in quotes */
    assert_non_null(web_find(SLICE("chart.min.js")));
    assert_null(web_find(SLICE("")));
    assert_null(web_find(SLICE("../index.html")));
    assert_null(web_find(SLICE("index.htm")));
}

static void test_coding(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool gzip;
    } rows[] = {
        { "", false },
        { "gzip", true },
        { "gzip, deflate, br, zstd", true },
        { "br;q=1, GZIP;q=0.5", true },
        { "x-gzip", true },
        { "gzip;q=0", false },
        { "gzip; q=0.000", false },
        { "gzip;q=0.001", true },
        { "*", true },
        { "*;q=0", false },
        { "*, gzip;q=0", false },
        { "gzip;q=0, *", false },
        { "identity", false },
        { "gzipped", false },
        { ",,;,", false },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK(web_accepts_gzip(slice_str(rows[i].header)) == rows[i].gzip, "'%s'",
              rows[i].header);
}

static void test_etag(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool same;
    } rows[] = {
        { "", false },      { "\"a\"", true },        { "W/\"a\"", true },
        { "*", true },      { "\"b\", \"a\"", true }, { "\"b\",W/\"a\" ", true },
        { "\"b\"", false }, { "a", false },           { "\"a", false },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK(web_etag_matches(slice_str(rows[i].header), "\"a\"") == rows[i].same,
              "'%s'", rows[i].header);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_coding),
        cmocka_unit_test(test_etag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
