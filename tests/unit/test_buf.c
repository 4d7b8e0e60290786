/* Appending, the sticky error, shifting. */
#include "common/buf.h"

#include "testing.h"

static void appends(void **state)
{
    (void)state;
    struct buf b = { 0 };
    assert_string_equal(buf_cstr(&b), "");
    buf_adds(&b, "a");
    buf_adds(&b, NULL);
    buf_addc(&b, 'b');
    buf_add(&b, SLICE("cd"));
    buf_add(&b, slice_of(NULL, 0));
    buf_addu(&b, 0);
    buf_addc(&b, ' ');
    buf_addu(&b, UINT64_MAX);
    buf_addc(&b, ' ');
    buf_addi(&b, INT64_MIN);
    buf_addi(&b, 7);
    buf_addf(&b, " %s %5.2f", "x", 1.5);
    assert_string_equal(buf_cstr(&b),
                        "abcd0 18446744073709551615 -92233720368547758087 x  1.50");
    assert_int_equal(b.st, ST_OK);
    buf_release(&b);
}

static void fields_of_csv(void **state)
{
    static const struct {
        const char *text, *want;
    } fields[] = {
        { "", "" },
        { "gpt-x", "gpt-x" },
        { "a,b", "\"a,b\"" },
        { "a\"b", "\"a\"\"b\"" },
        { "a\nb", "\"a\nb\"" },
        { "=1+1", "\"'=1+1\"" },
        { "-", "\"'-\"" },
    };
    struct buf b = { 0 };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        buf_reset(&b);
        buf_add_csv(&b, slice_str(fields[i].text));
        assert_string_equal(buf_cstr(&b), fields[i].want);
    }
    buf_release(&b);
}

static void grows_to_any_length(void **state)
{
    (void)state;
    struct buf b = { 0 };
    for (unsigned i = 0; i < 100000; i++)
        buf_addc(&b, (char)('a' + i % 26));
    assert_int_equal(b.n, 100000);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(b.p[i], 'a' + i % 26);
    buf_release(&b);
}

static void the_limit_is_sticky(void **state)
{
    (void)state;
    struct buf b = { .limit = 5 };
    buf_adds(&b, "12345");
    assert_int_equal(b.st, ST_OK);
    buf_adds(&b, "6");
    assert_int_equal(b.st, ST_LIMIT);
    buf_shift(&b, 5);
    buf_adds(&b, "7");
    assert_int_equal(b.n, 0);
    assert_string_equal(buf_cstr(&b), "");
    assert_null(buf_room(&b, 1));
    buf_reset(&b);
    buf_adds(&b, "89");
    assert_true(slice_eq(buf_slice(&b), SLICE("89")));
    buf_release(&b);
    assert_int_equal(b.limit, 5);
    assert_null(buf_room(&b, SIZE_MAX));
    assert_int_equal(b.st, ST_LIMIT);
    buf_release(&b);
}

static void shift_keeps_the_rest(void **state)
{
    (void)state;
    struct buf b = { 0 };
    buf_shift(&b, 3);
    buf_adds(&b, "hello");
    buf_shift(&b, 0);
    buf_shift(&b, 2);
    assert_string_equal(buf_cstr(&b), "llo");
    buf_shift(&b, 99);
    assert_string_equal(buf_cstr(&b), "");
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends),
        cmocka_unit_test(fields_of_csv),
        cmocka_unit_test(grows_to_any_length),
        cmocka_unit_test(the_limit_is_sticky),
        cmocka_unit_test(shift_keeps_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
