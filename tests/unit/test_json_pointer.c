/* JSON Pointer look-ups: RFC 6901 examples, misses, malformed documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/json_pointer.h"

#define DOC                                                                              \
    "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/"                                             \
    "b\":1,\"m~n\":8,\"n\":null,\"d\":{\"e\":[{\"f\":2.5},"                              \
    "true]},\"s\":\"x\\ny\"}"

static const struct {
    const char *doc, *pointer;
    enum json_type type;
    const char *text;
} cases[] = {
    { DOC, "", JSON_OBJECT, NULL },
    { DOC, "/foo", JSON_ARRAY, NULL },
    { DOC, "/foo/0", JSON_STRING, "bar" },
    { DOC, "/foo/1", JSON_STRING, "baz" },
    { DOC, "/foo/2", JSON_END, NULL },
    { DOC, "/foo/x", JSON_END, NULL },
    { DOC, "/", JSON_NUMBER, "0" },
    { DOC, "/a~1b", JSON_NUMBER, "1" },
    { DOC, "/m~0n", JSON_NUMBER, "8" },
    { DOC, "/n", JSON_NULL, NULL },
    { DOC, "/d/e/0/f", JSON_NUMBER, "2.5" },
    { DOC, "/d/e/1", JSON_TRUE, NULL },
    { DOC, "/d/e/1/z", JSON_END, NULL },
    { DOC, "/s", JSON_STRING, "x\ny" },
    { DOC, "/none", JSON_END, NULL },
    { "7", "", JSON_NUMBER, "7" },
    { "{\"a\":", "/a", JSON_BAD, NULL },
    { "{\"a\" 1}", "/a", JSON_BAD, NULL },
    { "", "/a", JSON_BAD, NULL },
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char hold[32];
        struct slice text = { 0 };
        enum json_type t = json_pointer(slice_str(cases[i].doc), cases[i].pointer, hold,
                                        sizeof hold, &text);
        if (t != cases[i].type ||
            (cases[i].text && !slice_eq(text, slice_str(cases[i].text))))
            fail_msg("%s: type %d, text '%.*s'", cases[i].pointer, t, SLICE_FMT(text));
    }
}

static void test_too_long(void **state)
{
    (void)state;
    char hold[2];
    struct slice text;
    assert_int_equal(json_pointer(SLICE("\"abc\""), "", hold, sizeof hold, &text),
                     JSON_BAD);
}

static void test_double(void **state)
{
    (void)state;
    assert_true(json_pointer_double(slice_str(DOC), "/d/e/0/f", -1) == 2.5);
    assert_true(json_pointer_double(slice_str(DOC), "/n", -1) == -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
