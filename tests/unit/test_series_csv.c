/* Lines of series: what is read, and how bad ones are refused. */
#include "testing.h"

#include "collector/projection/series_csv.h"

#include <math.h>

static void reads_a_line(void **state)
{
    (void)state;
    struct arena a;
    struct buf why = { 0 };
    struct series_line s;

    arena_init(&a, 1 << 20);
    assert_true(series_csv_header(SLICE("id,m,season,h,start,n,values")));
    assert_false(series_csv_header(SLICE("a,b,c")));
    assert_int_equal(
        series_csv_line(SLICE("x1,1,7,14,2026-01,4,1.5,NA,,-2e3\r"), &a, &s, &why),
        ST_OK);
    assert_true(slice_eq(s.id, SLICE("x1")));
    assert_int_equal(s.m, 1);
    assert_int_equal(s.season, 7);
    assert_int_equal(s.horizon, 14);
    assert_int_equal(s.n, 4);
    assert_true(s.y[0] == 1.5 && isnan(s.y[1]) && isnan(s.y[2]) && s.y[3] == -2000);
    /* m and season may be left out. */
    assert_int_equal(series_csv_line(SLICE("x,,,2,,1,5"), &a, &s, &why), ST_OK);
    assert_int_equal(s.season, 1);
    buf_release(&why);
    arena_release(&a);
}

static void refuses_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *line, *why;
    } rows[] = {
        { "", "the id is empty" },
        { ",1,1,1,,1,5", "the id is empty" },
        { "\"x\",1,1,1,,1,5", "quotes are not supported" },
        { "x,0,1,1,,1,5", "m is '0', a whole number from 1 to 100000 is wanted" },
        { "x,1,-7,1,,1,5", "season is '-7', a whole number from 1 to 100000 is wanted" },
        { "x,1,1,,,1,5", "h is '', a whole number from 1 to 10000 is wanted" },
        { "x,1,1,1,,,5", "n is '', a whole number from 1 to 1000000 is wanted" },
        { "x,1,1,1,,2,5", "1 values, n promises 2" },
        { "x,1,1,1,,1", "0 values, n promises 1" },
        { "x,1,1,1,,1,5,6", "more values than the 1 that n promises" },
        { "x,1,1,1,,1,nan", "value 1 is 'nan', a number or NA is wanted" },
        { "x,1,1,1,,2,1,0x10", "value 2 is '0x10', a number or NA is wanted" },
        { "x,1,1,1,,1,1e999", "value 1 is '1e999', a number or NA is wanted" },
        { "x,1,1,1,,1,1 2", "value 1 is '1 2', a number or NA is wanted" },
    };
    struct arena a;
    struct buf why = { 0 };

    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct series_line s;
        buf_reset(&why);
        enum status st = series_csv_line(slice_str(rows[i].line), &a, &s, &why);
        CHECK(st == ST_BAD, "%s", rows[i].line);
        CHECK(strcmp(buf_cstr(&why), rows[i].why) == 0, "%s: got '%s'", rows[i].line,
              buf_cstr(&why));
    }
    buf_release(&why);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_line),
        cmocka_unit_test(refuses_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
