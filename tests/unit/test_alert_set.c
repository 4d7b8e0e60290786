/* Alerts of a rule as a document: a restart at any point, damage, hostile names. */
#include "testing.h"

#include "collector/alert_set.h"

static const struct alert_names names = { { "hook", "pager" }, 2 };

static struct alert_entry *get(struct alert_set *s, const char *agent)
{
    struct alert_label l = { "agent", slice_str(agent) };
    return alert_set_get(s, &l, 1);
}

static void round_trip(struct alert_set *s, struct alert_set *again)
{
    struct buf text = { 0 };
    alert_set_encode(s, &names, &text);
    alert_set_init(again, s->arena);
    assert_int_equal(alert_set_decode(again, &names, buf_slice(&text)), ST_OK);
    assert_int_equal(again->n, s->n);
    struct buf second = { 0 };
    alert_set_encode(again, &names, &second);
    assert_string_equal(buf_cstr(&text), buf_cstr(&second));
    buf_release(&text);
    buf_release(&second);
}

static void test_round_trip(void **state)
{
    (void)state;
    static const char *const hostile[] = {
        "web-1",    "\"}],\"alerts\":[{",
        "a\nb\r\t", "<b>&",
        "\xff\xfe", "é — 中",
        "",         "told",
        "\\u0000",
    };
    struct arena a;
    struct alert_set s, again;
    arena_init(&a, 1 << 20);
    alert_set_init(&s, &a);
    for (size_t i = 0; i < COUNT_OF(hostile); i++) {
        struct alert_entry *e = get(&s, hostile[i]);
        e->a = (struct alert){ .phase = ALERT_FIRING,
                               .since_ms = 17,
                               .fired_ms = 16,
                               .clear_ms = (int64_t)i,
                               .told = i % 4,
                               .acked = i % 3,
                               .mark = 1u << i,
                               .mark_ms = 5 };
        alert_entry_say(&s, e, "%s: %d", hostile[i], 7);
        alert_entry_value(e, "number", -1.5e300);
        assert_ptr_equal(get(&s, hostile[i]), e);
    }
    s.retry[1] = (struct alert_retry){ 3, 40, 50 };
    round_trip(&s, &again);
    assert_int_equal(again.retry[1].attempts, 3);
    assert_int_equal(again.at[3]->a.told, 3);
    assert_int_equal(again.at[3]->a.acked, 0);
    assert_int_equal(again.at[2]->a.acked, 2);
    assert_true(alert_entry_number(again.at[0], "number", 0) == -1.5e300);
    /* the other way round, and one channel fewer: bits follow their names */
    struct buf text = { 0 };
    alert_set_encode(&s, &names, &text);
    const struct alert_names fewer = { { "pager" }, 1 };
    alert_set_init(&again, &a);
    assert_int_equal(alert_set_decode(&again, &fewer, buf_slice(&text)), ST_OK);
    assert_int_equal(again.at[2]->a.told, 1);
    assert_int_equal(again.at[1]->a.told, 0);
    assert_int_equal(again.retry[0].attempts, 3);
    buf_release(&text);
    arena_release(&a);
}

static void test_long_names(void **state)
{
    (void)state;
    static char one[65536], two[65536];
    struct arena a;
    struct alert_set s, again;
    arena_init(&a, 1 << 20);
    memset(one, 'x', sizeof one - 1);
    memset(two, 'x', sizeof two - 1);
    two[60000] = 'y';
    alert_set_init(&s, &a);
    struct alert_entry *e = get(&s, one), *f = get(&s, two);
    assert_ptr_not_equal(e, f);
    assert_ptr_equal(get(&s, one), e);
    assert_true(e->label[0].value.n <= ALERT_LABEL_BYTES);
    alert_entry_say(&s, e, "%s is long", one);
    assert_true(e->summary.n <= ALERT_TEXT_BYTES);
    round_trip(&s, &again);
    arena_release(&a);
}

static void test_damage(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "[]",
        "{",
        "{\"alerts\":{}}",
        "{\"alerts\":[7]}",
        "{\"alerts\":[{\"phase\":\"on\"}]}",
        "{\"alerts\":[{\"since_ms\":1.5}]}",
        "{\"alerts\":[{\"told\":[1]}]}",
        "{\"channels\":[{\"attempts\":-1}]}",
        "{\"alerts\":[{\"phase\":\"firing\"}",
        "{\"alerts\":[]}x",
    };
    struct arena a;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct alert_set s;
        alert_set_init(&s, &a);
        CHECK(alert_set_decode(&s, &names, slice_str(bad[i])) == ST_BAD, "%s", bad[i]);
        assert_int_equal(s.n, 0);
    }
    struct alert_set s;
    alert_set_init(&s, &a);
    assert_int_equal(
        alert_set_decode(&s, &names,
                         SLICE("{\"later\":{\"x\":[1]},\"alerts\":[{\"phase\""
                               ":\"firing\",\"labels\":{\"agent\":\"w\"},"
                               "\"told\":[\"gone\",\"hook\"]}]}")),
        ST_OK);
    assert_int_equal(s.at[0]->a.told, 1);
    arena_release(&a);
}

static void test_prune_and_limit(void **state)
{
    (void)state;
    struct arena a;
    struct alert_set s;
    char name[16];
    arena_init(&a, 64 << 20);
    alert_set_init(&s, &a);
    for (int i = 0; i < ALERT_SET_MAX + 10; i++) {
        snprintf(name, sizeof name, "%d", i);
        struct alert_entry *e = get(&s, name);
        assert_true(!e == (i >= ALERT_SET_MAX));
    }
    assert_int_equal(s.dropped, 10);
    s.at[0]->a.phase = ALERT_FIRING;
    s.at[1]->a.told = 1;                                            /* still owed */
    s.at[2]->a = (struct alert){ .fired_ms = 50, .since_ms = 100 }; /* recent */
    s.at[3]->a = (struct alert){ .fired_ms = 50, .since_ms = 99 };  /* old */
    s.at[4]->a.mark_ms = 1;                                         /* agent is gone */
    s.at[5]->a.mark_ms = 1;
    s.at[5]->condition = ALERT_FALSE;
    alert_set_prune(&s, 100);
    assert_int_equal(s.n, 4);
    assert_int_equal(s.st, ST_OK);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_prune_and_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
