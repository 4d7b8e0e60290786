/* Silences: matchers, how long they hold, the file. */
#include "testing.h"

#include "collector/silence.h"

static struct alert_entry entry(const char *name, const char *value)
{
    return (struct alert_entry){ .label = { { name, slice_str(value) } },
                                 .labels = 1,
                                 .a = { .phase = ALERT_FIRING, .fired_ms = 1000 } };
}

static void test_match(void **state)
{
    (void)state;
    static const struct {
        const char *match, *label, *value;
        bool valid, hit;
    } rows[] = {
        { "agent_silent", "agent", "web-1", true, true },
        { "rule=agent_silent", "agent", "web-1", true, true },
        { "alertname=agent_*", "agent", "web-1", true, true },
        { "rule=agent_silent, agent=web-*", "agent", "web-1", true, true },
        { "rule=agent_silent,agent=\"web-1\"", "agent", "web-1", true, true },
        { "rule=agent_silent,agent=db-*", "agent", "web-1", true, false },
        { "severity=warning", "agent", "web-1", true, true },
        { "severity=critical", "agent", "web-1", true, false },
        { "model=*", "agent", "web-1", true, false },
        { "*", "agent", "web-1", true, true },
        { "agent=", "agent", "web-1", false, false },
        { "", "agent", "web-1", false, false },
        { "colour=red", "agent", "web-1", false, false },
        { "agent=web-1,", "agent", "web-1", false, false },
        { "model=a=b", "model", "a=b", true, true },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf why = { 0 };
        struct alert_entry e = entry(rows[i].label, rows[i].value);
        bool valid = silence_match_valid(slice_str(rows[i].match), &why);
        CHECK(valid == rows[i].valid, "%s: %s", rows[i].match, buf_cstr(&why));
        CHECK(valid || why.n, "%s: no reason", rows[i].match);
        if (valid)
            CHECK(silence_match(slice_str(rows[i].match), "agent_silent", "warning",
                                &e) == rows[i].hit,
                  "%s", rows[i].match);
        buf_release(&why);
    }
}

static void test_holds(void **state)
{
    (void)state;
    struct silence at[] = { { .match = SLICE("*"), .until_ms = 2000 },
                            { .match = SLICE("*"), .ack = true, .at_ms = 1500 } };
    struct silences s = { .at = at, .n = 2 };
    struct alert_entry e = entry("agent", "web-1");
    assert_ptr_equal(silence_find(&s, "r", "info", &e, 1999), &at[0]);
    assert_ptr_equal(silence_find(&s, "r", "info", &e, 2000), &at[1]);
    e.a.fired_ms = 1501; /* fired anew */
    assert_null(silence_find(&s, "r", "info", &e, 2000));
    e.a.fired_ms = 1000;
    e.a.phase = ALERT_INACTIVE; /* over: worth a message */
    assert_null(silence_find(&s, "r", "info", &e, 2000));
    assert_null(silence_find(NULL, "r", "info", &e, 0));
}

static void test_file(void **state)
{
    (void)state;
    char dir[] = "/tmp/breakeven-silence-XXXXXX", path[64];
    struct silences s;
    struct buf id = { 0 }, second = { 0 }, why = { 0 };
    assert_non_null(mkdtemp(dir));
    assert_int_equal(silences_load(dir, &s, &why), ST_OK);
    assert_int_equal(s.n, 0);
    silences_release(&s);
    struct silence add = { .match = SLICE("agent=web-*"),
                           .comment = SLICE("up\ndate \"x\" <b>"),
                           .until_ms = 5000 };
    struct silence ack = { .match = SLICE("*"), .ack = true };
    assert_int_equal(silences_add(dir, &add, 1000, &id, &why), ST_OK);
    assert_int_equal(silences_add(dir, &ack, 1000, &second, &why), ST_OK);
    assert_int_equal(silences_load(dir, &s, &why), ST_OK);
    assert_int_equal(s.n, 2);
    assert_true(slice_eq(s.at[0].comment, add.comment));
    assert_int_equal(s.at[0].until_ms, 5000);
    assert_true(s.at[1].ack && slice_eq(s.at[1].id, buf_slice(&second)));
    silences_release(&s);
    assert_int_equal(silences_remove(dir, SLICE("nope"), &why), ST_NOT_FOUND);
    buf_reset(&why);
    assert_int_equal(silences_remove(dir, buf_slice(&id), &why), ST_OK);
    add.comment = SLICE("caf\xe9");
    assert_int_equal(silences_add(dir, &add, 1000, &id, &why), ST_BAD);
    assert_string_equal(buf_cstr(&why), "a comment has at most 400 bytes of UTF-8");
    add.match = SLICE("agent=caf\xe9");
    assert_int_equal(silences_add(dir, &add, 1000, &id, &why), ST_BAD);
    add.match = SLICE("colour=red");
    assert_int_equal(silences_add(dir, &add, 1000, &id, &why), ST_BAD);
    snprintf(path, sizeof path, "%s/silences", dir);
    FILE *f = fopen(path, "w");
    fputs("{\"id\":\"1\",\"match\":[]}\n", f);
    fclose(f);
    buf_reset(&why);
    assert_int_equal(silences_load(dir, &s, &why), ST_BAD);
    silences_release(&s);
    unlink(path);
    snprintf(path, sizeof path, "%s/silences.lock", dir);
    unlink(path);
    assert_int_equal(rmdir(dir), 0);
    buf_release(&id);
    buf_release(&second);
    buf_release(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_match),
                                        cmocka_unit_test(test_holds),
                                        cmocka_unit_test(test_file) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
