/* Every status has a name of its own. */
#include "common/status.h"

#include "testing.h"

static void names_are_there_and_differ(void **state)
{
    (void)state;
    for (int i = ST_OK; i <= ST_CONFIG; i++) {
        assert_string_not_equal(status_name((enum status)i), "unknown");
        for (int k = ST_OK; k < i; k++)
            assert_string_not_equal(status_name((enum status)i),
                                    status_name((enum status)k));
    }
    assert_string_equal(status_name((enum status)(ST_CONFIG + 1)), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_there_and_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
