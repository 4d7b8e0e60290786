/* What the specialist sustained, hour by hour, with the arithmetic written out. */
#include "testing.h"

#include "collector/projection/throughput.h"

#include <math.h>

static void hours_by_hand(void **state)
{
    (void)state;
    /* 3,600,000 tokens an hour are 1,000/s. */
    static const struct {
        const char *what;
        struct throughput_hour hour[3];
        double replicas, sustained, missed;
        int hours;
    } rows[] = {
        { "nothing", { { 0, 0, NAN } }, 1, 0, 0, 0 },
        { "one good hour", { { 100, 3.6e6, 4 } }, 1, 1000, 0, 1 },
        { "on two replicas", { { 100, 3.6e6, 4 } }, 2, 500, 0, 1 },
        { "exactly the target", { { 100, 3.6e6, 5 } }, 1, 1000, 0, 1 },
        { "late: nothing sustained", { { 100, 3.6e6, 5.1 } }, 1, 0, 1000, 1 },
        { "the limit lies between",
          { { 100, 3.6e6, 4 }, { 100, 7.2e6, 9 }, { 100, 5.4e6, 6 } },
          1,
          1000,
          1500,
          3 },
        { "late at a lower rate is no limit: something else was slow",
          { { 100, 3.6e6, 4 }, { 100, 1.8e6, 9 } },
          1,
          1000,
          0,
          2 },
        { "29 calls tell nothing", { { 29, 3.6e6, 1 }, { 30, 1.8e6, 1 } }, 1, 500, 0, 1 },
        { "no durations", { { 100, 3.6e6, NAN } }, 1, 0, 0, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct throughput t = throughput_of(rows[i].hour, 3, 5, rows[i].replicas);
        CHECK(fabs(t.sustained - rows[i].sustained) < 1e-9 &&
                  fabs(t.missed - rows[i].missed) < 1e-9 && t.hours == rows[i].hours,
              "%s: %g, %g, %d", rows[i].what, t.sustained, t.missed, t.hours);
    }
}

static void an_idle_canary_does_not_decide(void **state)
{
    (void)state;
    struct throughput t = { .sustained = 50 };

    assert_false(throughput_decides(&t, 1200)); /* far from its limit */
    assert_true(throughput_decides(&t, 50));
    assert_true(throughput_decides(&t, 0)); /* better than nothing */
    t.missed = 60;
    assert_true(throughput_decides(&t, 1200)); /* the limit was seen */
    t.sustained = 0;
    assert_false(throughput_decides(&t, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hours_by_hand),
        cmocka_unit_test(an_idle_canary_does_not_decide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
