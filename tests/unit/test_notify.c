/* Alert messages: shape of each body, hostile names, stable fingerprints, channels. */
#include "testing.h"

#include "collector/notify.h"
#include "common/json.h"
#include "common/json_pointer.h"

static struct alert_entry entry(const char *workload, bool firing)
{
    return (struct alert_entry){
        .label = { { "workload", slice_str(workload) } },
        .labels = 1,
        .a = { .phase = firing ? ALERT_FIRING : ALERT_INACTIVE,
               .fired_ms = 1795420800123,
               .since_ms = firing ? 1795420800123 : 1795424400000 },
        .summary = slice_str(workload),
        .value = { { "api_usd_month", 1234.5 } },
        .values = 1,
    };
}

static struct notify_message message(const struct alert_entry *const *at, size_t n,
                                     bool firing)
{
    return (struct notify_message){ .rule = "breakeven_crossed",
                                    .severity = "info",
                                    .firing = firing,
                                    .at = at,
                                    .n = n,
                                    .now_ms = 1795424500000,
                                    .ends_ms = 1795425400000,
                                    .external_url = "https://b.example/",
                                    .page = "breakeven" };
}

static const char *addresses[] = { "x@example.org", "y@example.org" };
static const struct yaml_strings recipients = { addresses, 2 };

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

/* The string at a JSON Pointer of the document. */
static void check_text(const struct buf *b, const char *pointer, const char *wanted)
{
    char hold[4096];
    struct slice text = { 0 };
    enum json_type t = json_pointer(buf_slice(b), pointer, hold, sizeof hold, &text);
    CHECK(t == JSON_STRING && slice_eq(text, slice_str(wanted)),
          "%s: '%.*s', wanted '%s'", pointer, SLICE_FMT(text), wanted);
}

static void test_bodies(void **state)
{
    (void)state;
    static const struct {
        enum notify_kind kind;
        bool firing;
        const char *pointer, *wanted;
    } rows[] = {
        { NOTIFY_WEBHOOK, true, "/version", "4" },
        { NOTIFY_WEBHOOK, true, "/status", "firing" },
        { NOTIFY_WEBHOOK, false, "/status", "resolved" },
        { NOTIFY_WEBHOOK, true, "/receiver", "ops" },
        { NOTIFY_WEBHOOK, true, "/groupKey", "{}:{alertname=\"breakeven_crossed\"}" },
        { NOTIFY_WEBHOOK, true, "/commonLabels/alertname", "breakeven_crossed" },
        { NOTIFY_WEBHOOK, true, "/commonLabels/workload", "support" },
        { NOTIFY_WEBHOOK, true, "/alerts/0/annotations/api_usd_month", "1234.5" },
        { NOTIFY_WEBHOOK, true, "/alerts/0/startsAt", "2026-11-23T08:00:00.123Z" },
        { NOTIFY_WEBHOOK, true, "/alerts/0/endsAt", "0001-01-01T00:00:00Z" },
        { NOTIFY_WEBHOOK, false, "/alerts/0/endsAt", "2026-11-23T09:00:00.000Z" },
        { NOTIFY_WEBHOOK, true, "/alerts/0/generatorURL",
          "https://b.example/#/breakeven" },
        { NOTIFY_ALERTMANAGER, true, "/0/labels/alertname", "breakeven_crossed" },
        { NOTIFY_ALERTMANAGER, true, "/0/startsAt", "2026-11-23T08:00:00.123Z" },
        { NOTIFY_ALERTMANAGER, true, "/0/endsAt", "2026-11-23T09:16:40.000Z" },
        { NOTIFY_ALERTMANAGER, false, "/0/endsAt", "2026-11-23T09:00:00.000Z" },
        { NOTIFY_SLACK, true, "/text", "firing: support" },
        { NOTIFY_SLACK, true, "/blocks/0/text/type", "mrkdwn" },
        { NOTIFY_SLACK, true, "/blocks/0/text/text",
          "*Firing: breakeven_crossed* (info)\n• support\n"
          "<https://b.example/#/breakeven|Open Breakeven>" },
        { NOTIFY_PAGERDUTY, true, "/routing_key", "s3cret" },
        { NOTIFY_PAGERDUTY, true, "/event_action", "trigger" },
        { NOTIFY_PAGERDUTY, false, "/event_action", "resolve" },
        { NOTIFY_PAGERDUTY, true, "/payload/summary", "firing: support" },
        { NOTIFY_PAGERDUTY, true, "/payload/severity", "info" },
        { NOTIFY_PAGERDUTY, true, "/payload/timestamp", "2026-11-23T08:00:00.123Z" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf b = { 0 };
        struct alert_entry e = entry("support", rows[i].firing);
        const struct alert_entry *at = &e;
        struct notify_message m = message(&at, 1, rows[i].firing);
        notify_body(rows[i].kind, "ops", SLICE("s3cret"), &m, &b);
        assert_true(is_json(buf_slice(&b)));
        check_text(&b, rows[i].pointer, rows[i].wanted);
        CHECK(rows[i].kind == NOTIFY_PAGERDUTY ||
                  slice_find(buf_slice(&b), SLICE("s3cret")) == SIZE_MAX,
              "the secret is in the body");
        buf_release(&b);
    }
}

/* Who acknowledges names the incident and says no more. */
static void test_acknowledged(void **state)
{
    (void)state;
    struct alert_entry e = entry("support", true);
    const struct alert_entry *at = &e;
    struct notify_message m = message(&at, 1, true);
    char key[17];
    struct buf b = { 0 };
    m.acked = true;
    notify_fingerprint(m.rule, at, key);
    notify_body(NOTIFY_PAGERDUTY, "ops", SLICE("s3cret"), &m, &b);
    check_text(&b, "/event_action", "acknowledge");
    check_text(&b, "/dedup_key", key);
    check_text(&b, "/routing_key", "s3cret");
    assert_true(slice_find(buf_slice(&b), SLICE("payload")) == SIZE_MAX);
    buf_release(&b);
}

/* Two hundred alerts: one body of bounded size that says how many there are. */
static void test_many(void **state)
{
    (void)state;
    struct alert_entry e = entry("a name of forty bytes, as agents have them", true);
    const struct alert_entry *at[NOTIFY_ALERTS_MAX];
    for (size_t i = 0; i < COUNT_OF(at); i++)
        at[i] = &e;
    struct notify_message m = message(at, COUNT_OF(at), true);
    m.more = 100;
    m.grouped = true;
    for (int k = 0; k < NOTIFY_EMAIL; k++) {
        struct buf b = { 0 };
        notify_body((enum notify_kind)k, "ops", SLICE("k"), &m, &b);
        assert_true(is_json(buf_slice(&b)));
        if (k == NOTIFY_SLACK) {
            struct slice text = buf_slice(&b);
            CHECK(slice_find(text, SLICE("and 180 more")) != SIZE_MAX, "%.*s",
                  SLICE_FMT(text));
            text = slice_from(text, slice_find(text, SLICE("\"blocks\"")));
            assert_true(text.n < 3000);
        }
        buf_release(&b);
    }
    struct buf mail = { 0 };
    notify_mail(&m, "a@example.org", &recipients, &mail);
    assert_non_null(strstr(buf_cstr(&mail), "\r\nSubject: [breakeven] firing: "
                                            "breakeven_crossed, 200 alerts\r\n"));
    buf_release(&mail);
}

/* Header fields as we write them and no other, then base64; ASCII, short lines. */
static void check_mail(struct buf *b)
{
    static const char *const fields[] = {
        "From: ",         "To: ",           "Subject: ",
        "Date: ",         "Message-ID: ",   "Auto-Submitted: ",
        "MIME-Version: ", "Content-Type: ", "Content-Transfer-Encoding: ",
    };
    struct slice rest = buf_slice(b), line;
    bool body = false;
    for (size_t field = 0; rest.n;) {
        slice_cut(rest, '\n', &line, &rest);
        CHECK(line.n && line.p[line.n - 1] == '\r' && line.n <= 79, "%.*s",
              SLICE_FMT(line));
        line = slice_head(line, line.n - 1);
        for (size_t i = 0; i < line.n; i++)
            CHECK(line.p[i] >= 0x20 && line.p[i] < 0x7f, "%.*s", SLICE_FMT(line));
        body = body || line.n == 0;
        if (body || line.p[0] == ' ')
            continue;
        CHECK(field < COUNT_OF(fields) && slice_starts(line, slice_str(fields[field])),
              "injected: %.*s", SLICE_FMT(line));
        field++;
    }
    assert_true(body);
}

static void test_hostile_names(void **state)
{
    (void)state;
    static char large[65536];
    memset(large, '<', sizeof large - 1);
    const char *const names[] = {
        "\"}],\"x\":[{\"",
        "a\nb\r\t",
        "x\r\nBcc: everybody@example.org\r\n\r\nbody",
        "<script>alert(1)</script> & <!channel>",
        "\xff\xfe",
        "=cmd|' /C calc'!A0",
        "{{ .Labels }}",
        "\\",
        "é — 中文名字很长的一个模型名字很长的一个模型名字很长的一个模型",
        "=?utf-8?B?AAAA?=",
        large,
    };
    struct arena a;
    struct alert_set set;
    arena_init(&a, 4 << 20);
    alert_set_init(&set, &a);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct alert_label l = { "model", slice_str(names[i]) };
        struct alert_entry *e = alert_set_get(&set, &l, 1);
        const struct alert_entry *at = e;
        alert_entry_say(&set, e, "%s has no price", names[i]);
        struct notify_message m = message(&at, 1, true);
        for (int k = 0; k < NOTIFY_EMAIL; k++) {
            struct buf b = { 0 };
            notify_body((enum notify_kind)k, "ops", SLICE("k"), &m, &b);
            CHECK(is_json(buf_slice(&b)), "%d: %s", k, names[i]);
            assert_true(b.n < 10000);
            if (k == NOTIFY_SLACK) {
                CHECK(slice_find(buf_slice(&b), SLICE("<script")) == SIZE_MAX, "slack");
                CHECK(slice_find(buf_slice(&b), SLICE("<!")) == SIZE_MAX, "slack");
            }
            buf_release(&b);
        }
        struct buf mail = { 0 };
        notify_mail(&m, "alerts@example.org", &recipients, &mail);
        check_mail(&mail);
        buf_release(&mail);
    }
    arena_release(&a);
}

static void test_mail(void **state)
{
    (void)state;
    struct buf b = { 0 };
    struct alert_entry e = entry("support: 中文 costs more", true);
    const struct alert_entry *at = &e;
    struct notify_message m = message(&at, 1, true);
    notify_mail(&m, "alerts@example.org", &recipients, &b);
    check_mail(&b);
    static const char *const wanted[] = {
        "From: Breakeven <alerts@example.org>\r\nTo: <x@example.org>,\r\n "
        "<y@example.org>\r\n",
        "Subject: =?utf-8?B?W2JyZWFrZXZlbl0gZmlyaW5nOiBzdXBwb3J0OiDkuK3mlocgY29z?=\r\n "
        "=?utf-8?B?dHMgbW9yZQ==?="
        "\r\n",
        "Date: Mon, 23 Nov 2026 09:01:40 +0000\r\n",
        ".1795420800123.f@example.org>\r\n",
        "\r\n\r\nRmlyaW5nOiBicmVha2V2ZW5fY3Jvc3NlZCAoaW5mbyk", /* Firing:
                                                                  breakeven_crossed (info)
                                                                */
    };
    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        CHECK(strstr(buf_cstr(&b), wanted[i]), "%s in\n%s", wanted[i], buf_cstr(&b));
    buf_release(&b);
}

static void test_fingerprint(void **state)
{
    (void)state;
    char fired[17], resolved[17], other[17], rule[17];
    struct alert_entry a = entry("a", true), b = entry("b", true),
                       over = entry("a", false);
    notify_fingerprint("r", &a, fired);
    notify_fingerprint("r", &over, resolved);
    notify_fingerprint("r", &b, other);
    notify_fingerprint("r", NULL, rule);
    assert_string_equal(fired, resolved);
    assert_string_not_equal(fired, other);
    assert_string_not_equal(fired, rule);
}

static void test_unreachable_is_worth_a_retry(void **state)
{
    (void)state;
    struct buf why = { 0 };
    struct alert_entry e = entry("a", true);
    const struct alert_entry *at = &e;
    struct notify_message m = message(&at, 1, true);
    static const struct {
        int kind;
        const char *url, *token_env;
        enum status st;
    } rows[] = {
        { NOTIFY_WEBHOOK, "http://127.0.0.1:1/s3cret", NULL, ST_BUSY },
        { NOTIFY_WEBHOOK, "ftp://127.0.0.1/s3cret", NULL, ST_BAD },
        { NOTIFY_WEBHOOK, "file:///s3cret", NULL, ST_BAD },
        { NOTIFY_WEBHOOK, "http://127.0.0.1:1/", "BREAKEVEN_NOT_SET", ST_CONFIG },
        { NOTIFY_EMAIL, "http://127.0.0.1/s3cret", NULL, ST_BAD },
        { NOTIFY_EMAIL, "smtp://127.0.0.1:1", NULL, ST_BUSY },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *to[] = { "a@example.org" };
        struct notify_channel c = { .name = "x",
                                    .kind = rows[i].kind,
                                    .url = rows[i].url,
                                    .token_env = rows[i].token_env,
                                    .from = "b@example.org",
                                    .to = { to, 1 },
                                    .timeout_ms = 2000 };
        buf_reset(&why);
        int64_t wait_ms;
        CHECK(notify_send(NULL, &c, &m, &why, &wait_ms) == rows[i].st, "%s: %s",
              rows[i].url, buf_cstr(&why));
        assert_null(strstr(buf_cstr(&why), "s3cret"));
        assert_true(why.n > 0);
    }
    buf_release(&why);
}

static void test_channel_check(void **state)
{
    (void)state;
    static const char *to[] = { "ops@example.org" }, *bad[] = { "x@y\r\nBcc: z@y" };
    static const struct {
        struct notify_channel c;
        bool right;
    } rows[] = {
        { { .name = "a", .url = "https://x/" }, true },
        { { .name = "a", .url_file = "/x" }, true },
        { { .name = "a" }, false },
        { { .name = "", .url = "https://x/" }, false },
        { { .name = "a", .url = "https://x/", .url_env = "X" }, false },
        { { .name = "a", .url = "smtp://x/" }, false },
        { { .name = "a", .url = "https://x/", .from = "a@b" }, false },
        { { .name = "a", .kind = NOTIFY_PAGERDUTY }, false },
        { { .name = "a", .kind = NOTIFY_PAGERDUTY, .token_env = "X" }, true },
        { { .name = "a",
            .kind = NOTIFY_EMAIL,
            .url = "smtp://x",
            .from = "a@b",
            .to = { to, 1 } },
          true },
        { { .name = "a",
            .kind = NOTIFY_EMAIL,
            .url = "smtp://x",
            .from = "a@b",
            .to = { bad, 1 } },
          false },
        { { .name = "a",
            .kind = NOTIFY_EMAIL,
            .url = "smtp://x",
            .from = "a",
            .to = { to, 1 } },
          false },
        { { .name = "a",
            .kind = NOTIFY_EMAIL,
            .url = "smtp://x",
            .from = "a@b",
            .username = "u",
            .to = { to, 1 } },
          false },
        { { .name = "a",
            .kind = NOTIFY_EMAIL,
            .url = "https://x",
            .from = "a@b",
            .to = { to, 1 } },
          false },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf why = { 0 };
        CHECK((notify_channel_check(&rows[i].c, "f", &why) == ST_OK) == rows[i].right,
              "row %zu: %s", i, buf_cstr(&why));
        buf_release(&why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_acknowledged),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_mail),
        cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_unreachable_is_worth_a_retry),
        cmocka_unit_test(test_channel_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
