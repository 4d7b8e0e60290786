/* Alert states: transitions over virtual time, who has been told what, patience. */
#include "testing.h"

#include "collector/alert.h"

static const struct alert_rule rule = { 60000, 120000 };

/* One evaluation: minute, condition -> phase, change. */
static const struct {
    int minute;
    bool condition;
    enum alert_phase phase;
    enum alert_change change;
} story[] = {
    { 0, false, ALERT_INACTIVE, ALERT_NONE },     { 1, true, ALERT_PENDING, ALERT_NONE },
    { 2, true, ALERT_FIRING, ALERT_FIRED },       { 3, true, ALERT_FIRING, ALERT_NONE },
    { 4, false, ALERT_FIRING, ALERT_NONE }, /* clear since 4 */
    { 5, true, ALERT_FIRING, ALERT_NONE },  /* flicker: the clearing starts afresh */
    { 6, false, ALERT_FIRING, ALERT_NONE },       { 7, false, ALERT_FIRING, ALERT_NONE },
    { 8, false, ALERT_INACTIVE, ALERT_RESOLVED }, { 9, true, ALERT_PENDING, ALERT_NONE },
    { 10, false, ALERT_INACTIVE, ALERT_NONE }, /* never fired: nothing to resolve */
};

static void test_story(void **state)
{
    (void)state;
    struct alert a = { 0 };
    for (size_t i = 0; i < COUNT_OF(story); i++) {
        enum alert_change c =
            alert_step(&a, &rule, story[i].condition, story[i].minute * INT64_C(60000));
        assert_int_equal(c, story[i].change);
        assert_int_equal(a.phase, story[i].phase);
    }
}

static void test_told(void **state)
{
    (void)state;
    struct alert a = { .phase = ALERT_FIRING };
    assert_int_equal(alert_owed(&a, 0), ALERT_FIRED);
    assert_int_equal(alert_owed(&a, 63), ALERT_FIRED);
    alert_told(&a, 0);
    alert_told(&a, 63);
    assert_int_equal(alert_owed(&a, 0), ALERT_NONE);
    a.phase = ALERT_INACTIVE;
    assert_int_equal(alert_owed(&a, 0), ALERT_RESOLVED);
    assert_int_equal(alert_owed(&a, 1), ALERT_NONE); /* never heard of the firing */
    a.phase = ALERT_FIRING;                          /* again before it was told */
    assert_int_equal(alert_owed(&a, 0), ALERT_NONE);
    a.phase = ALERT_PENDING;
    alert_told(&a, 0);
    assert_int_equal(alert_owed(&a, 0), ALERT_NONE);
    assert_int_equal(a.told, UINT64_C(1) << 63);
}

/* Whatever happens, a channel hears firing and resolved in turn. */
static void test_messages_alternate(void **state)
{
    (void)state;
    struct rng r = rng_open("alert");
    struct alert a = { 0 };
    enum alert_change heard = ALERT_RESOLVED;
    for (int i = 0; i < 100000; i++) {
        alert_step(&a, &rule, rng_below(&r, 3) > 0, i * INT64_C(20000));
        enum alert_change owed = alert_owed(&a, 7);
        if (owed == ALERT_NONE || rng_below(&r, 2)) /* half of the tries fail */
            continue;
        assert_int_not_equal(owed, heard);
        heard = owed;
        alert_told(&a, 7);
    }
}

static void test_patience(void **state)
{
    (void)state;
    struct alert_retry r = { 0 };
    int64_t now = 1000, day = 86400000;
    int tries = 0;
    while (alert_failed(&r, now, day, tries % 2 ? 1.0 : 0.0)) {
        int64_t wait = r.next_ms - now;
        assert_true(wait >= 5000 && wait <= 600000);
        now = r.next_ms;
        tries++;
    }
    assert_true(now - 1000 >= day && tries > 140 && tries < 300);
    assert_int_equal(r.attempts, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_story),
        cmocka_unit_test(test_told),
        cmocka_unit_test(test_messages_alternate),
        cmocka_unit_test(test_patience),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
