/* Alert states: transitions over virtual time, delivery, persistence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector/alert.h"

static const struct alert_rule rule = { "breakeven_crossed", "info", 60000, 120000 };

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
    { 5, true, ALERT_FIRING, ALERT_NONE },  /* flicker: the clock of the clearing restarts
                                             */
    { 6, false, ALERT_FIRING, ALERT_NONE },       { 7, false, ALERT_FIRING, ALERT_NONE },
    { 8, false, ALERT_INACTIVE, ALERT_RESOLVED }, { 9, true, ALERT_PENDING, ALERT_NONE },
    { 10, false, ALERT_INACTIVE, ALERT_NONE }, /* never fired: nothing to resolve */
};

static void test_story(void **state)
{
    (void)state;
    struct alert a = { 0 };
    for (size_t i = 0; i < sizeof story / sizeof *story; i++) {
        enum alert_change c =
            alert_step(&a, &rule, story[i].condition, story[i].minute * INT64_C(60000));
        assert_int_equal(c, story[i].change);
        assert_int_equal(a.phase, story[i].phase);
    }
}

/* A restart between any two evaluations changes nothing: states round-trip. */
static void test_restart(void **state)
{
    (void)state;
    struct alert a = { 0 };
    for (size_t i = 0; i < sizeof story / sizeof *story; i++) {
        struct buf b = { 0 };
        struct alert again;
        alert_encode(&a, &b);
        assert_int_equal(alert_decode(&again, buf_slice(&b)), ST_OK);
        buf_release(&b);
        a = again;
        enum alert_change c =
            alert_step(&a, &rule, story[i].condition, story[i].minute * INT64_C(60000));
        assert_int_equal(c, story[i].change);
        alert_queue(&a, c, 2);
        if (c != ALERT_NONE)
            for (unsigned ch = 0; ch < 2; ch++)
                alert_sent(&a, ch);
    }
    assert_int_equal(a.revision, 2);
    assert_int_equal(a.delivered, 2);
}

static void test_delivery(void **state)
{
    (void)state;
    struct alert a = { 0 };
    alert_queue(&a, ALERT_FIRED, 2);
    assert_true(alert_due(&a, 0, 0) && alert_due(&a, 1, 0));
    alert_sent(&a, 0);
    assert_false(alert_due(&a, 0, 0));
    alert_failed(&a, 0, 1.0);
    assert_false(alert_due(&a, 1, 9999));
    assert_true(alert_due(&a, 1, 10000));
    /* Channel 1 never heard of the firing: only channel 0 hears of the end. */
    alert_queue(&a, ALERT_RESOLVED, 2);
    assert_true(alert_due(&a, 0, 0));
    assert_false(alert_due(&a, 1, 1000000));
    alert_sent(&a, 0);
    assert_int_equal(a.delivered, a.revision);
}

static void test_backoff_is_bounded(void **state)
{
    (void)state;
    struct alert a = { 0 };
    for (int i = 0; i < 100; i++) {
        alert_failed(&a, 0, 1.0);
        assert_true(a.retry_ms >= 10000 && a.retry_ms <= 600000);
    }
    assert_int_equal(a.retry_ms, 600000);
}

static void test_decode_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = { "",
                                       "[]",
                                       "{\"phase\":\"on\"}",
                                       "{\"since_ms\":1.5}",
                                       "{\"revision\":-1}",
                                       "{\"phase\":\"firing\"",
                                       "{\"revision\":18446744073709551616}" };
    struct alert a;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(alert_decode(&a, slice_str(bad[i])), ST_BAD);
    assert_int_equal(alert_decode(&a, SLICE("{\"phase\":\"firing\",\"later\":7}")),
                     ST_OK);
    assert_int_equal(a.phase, ALERT_FIRING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_story),          cmocka_unit_test(test_restart),
        cmocka_unit_test(test_delivery),       cmocka_unit_test(test_backoff_is_bounded),
        cmocka_unit_test(test_decode_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
