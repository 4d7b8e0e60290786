/* Alert messages: shape of the webhook body, hostile names, stable fingerprints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector/notify.h"
#include "common/json.h"

static struct notify_message message(const char *workload, bool firing)
{
    return (struct notify_message){ .rule = "breakeven_crossed",
                                    .severity = "info",
                                    .workload = workload,
                                    .firing = firing,
                                    .starts_ms = 1795420800123,
                                    .ends_ms = firing ? 0 : 1795424400000,
                                    .summary = SLICE("hosting is cheaper"),
                                    .values = { { "api_usd_month", 1234.5 } },
                                    .nvalues = 1 };
}

static bool is_json(struct slice text)
{
    struct json j;
    struct slice s;
    enum json_type t;
    json_init(&j, JSON_ONE);
    json_feed(&j, text);
    json_finish(&j);
    do
        t = json_next(&j, &s);
    while (t != JSON_END && t != JSON_BAD && t != JSON_MORE);
    return t == JSON_END;
}

static void test_webhook_body(void **state)
{
    (void)state;
    struct buf b = { 0 };
    struct notify_message m = message("support", true);
    notify_body(NOTIFY_WEBHOOK, "ops", &m, &b);
    assert_true(is_json(buf_slice(&b)));
    static const char *const wanted[] = {
        "\"version\":\"4\"",
        "\"status\":\"firing\"",
        "\"receiver\":\"ops\"",
        "\"alertname\":\"breakeven_crossed\"",
        "\"workload\":\"support\"",
        "\"api_usd_month\":\"1234.5\"",
        "\"startsAt\":\"2026-11-23T08:00:00.123Z\"",
        "\"endsAt\":\"0001-01-01T00:00:00Z\"",
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        assert_true(slice_find(buf_slice(&b), slice_str(wanted[i])) != SIZE_MAX);
    buf_reset(&b);
    m = message("support", false);
    notify_body(NOTIFY_WEBHOOK, "ops", &m, &b);
    assert_true(is_json(buf_slice(&b)));
    assert_true(slice_find(buf_slice(&b), SLICE("\"status\":\"resolved\"")) != SIZE_MAX);
    assert_true(slice_find(buf_slice(&b),
                           SLICE("\"endsAt\":\"2026-11-23T09:00:00.000Z\"")) != SIZE_MAX);
    buf_release(&b);
}

static void test_hostile_names(void **state)
{
    (void)state;
    static const char *const names[] = {
        "\"}],\"x\":[{\"",    "a\nb\r\t",      "<script>", "\xff\xfe",
        "=cmd|' /C calc'!A0", "{{ .Labels }}", "\\"
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct buf b = { 0 };
        struct notify_message m = message(names[i], true);
        notify_body(NOTIFY_WEBHOOK, names[i], &m, &b);
        assert_true(is_json(buf_slice(&b)));
        buf_release(&b);
    }
}

static void test_fingerprint(void **state)
{
    (void)state;
    char fired[17], resolved[17], other[17];
    struct notify_message m = message("a", true);
    notify_fingerprint(&m, fired);
    m = message("a", false);
    notify_fingerprint(&m, resolved);
    m = message("b", true);
    notify_fingerprint(&m, other);
    assert_string_equal(fired, resolved);
    assert_string_not_equal(fired, other);
}

static void test_unreachable_is_worth_a_retry(void **state)
{
    (void)state;
    struct buf why = { 0 };
    struct notify_message m = message("a", true);
    struct notify_channel c = { .name = "x",
                                .url = "http://127.0.0.1:1/",
                                .timeout_ms = 2000 };
    assert_int_equal(notify_send(&c, &m, &why), ST_BUSY);
    c.url = "ftp://127.0.0.1/x";
    assert_int_equal(notify_send(&c, &m, &why), ST_BAD);
    c.url = "file:///etc/passwd";
    assert_int_equal(notify_send(&c, &m, &why), ST_BAD);
    buf_release(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_webhook_body),
        cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_unreachable_is_worth_a_retry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
