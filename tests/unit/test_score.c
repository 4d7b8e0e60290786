/* Scores: what is read, what is refused and where, and that an id counts once. */
#include "testing.h"

#include "collector/score.h"

static const int64_t now = 1790000000; /* 2026-09-21 */

static void test_read(void **state)
{
#define S "{\"workload\":\"w\",\"arm\":\"api\",\"metric\":\"m\",\"value\":1"
    static const struct {
        const char *body, *why; /* NULL: fine */
        size_t n;               /* scores, or the line */
    } rows[] = {
        { S "}", NULL, 1 },
        { S "}\n" S ",\"pass\":false,\"id\":\"a\",\"time\":1789999999}\n\n", NULL, 2 },
        { S ",\"time\":\"2026-09-01\"}", NULL, 1 },
        { "", "no score", 1 },
        { "[]", "a score is a JSON object", 1 },
        { S "}\n" S ",\"x\":1}", "unknown key", 2 },
        { S ",\"value\":2}", "a key stands twice", 1 },
        { S ",\"pass\":1}", "pass is true or false", 1 },
        { S ",\"id\":7}", "id is a string of 1 to 128 bytes", 1 },
        { S ",\"id\":\"\"}", "id is a string of 1 to 128 bytes", 1 },
        { S ",\"time\":1790000400}",
          "time is not one, or is ahead, or is older than 400 days", 1 },
        { S ",\"time\":1700000000}",
          "time is not one, or is ahead, or is older than 400 days", 1 },
        { S "}\n\n\n{}", "workload, arm, metric and value are needed", 4 },
        { "{\"workload\":\"w\",\"arm\":\"b\"}", "arm is api or specialist", 1 },
        { "{\"metric\":\"a b\"}", "metric is 1 to 32 of a-z, 0-9, _ and -", 1 },
        { "{\"metric\":\"\"}", "metric is 1 to 32 of a-z, 0-9, _ and -", 1 },
        { "{\"value\":1e13}", "value is not a number within 1e12", 1 },
        { "{\"value\":1e999}", "value is not a number within 1e12", 1 },
        { "{\"value\":\"1\"}", "value is not a number within 1e12", 1 },
        { "{\"workload\":1}", "workload is not a name", 1 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct score_list list;
        struct arena a;
        arena_init(&a, 1 << 20);
        enum status st = score_read(slice_str(rows[i].body), now, &a, &list);
        CHECK(st == (rows[i].why ? ST_BAD : ST_OK), "row %zu: %s", i, rows[i].body);
        CHECK((rows[i].why ? list.line : list.n) == rows[i].n, "row %zu: %zu", i,
              rows[i].why ? list.line : list.n);
        if (rows[i].why)
            assert_string_equal(list.why, rows[i].why);
        arena_release(&a);
    }
    /* cut anywhere: refused, not misread */
    const char *whole = S ",\"pass\":true}";
    for (size_t n = 0; n < strlen(whole); n++) {
        struct score_list list;
        struct arena a;
        arena_init(&a, 1 << 20);
        assert_int_equal(score_read(slice_of(whole, n), now, &a, &list), ST_BAD);
        arena_release(&a);
    }
}

/* --- a store in a folder of its own --- */

struct world {
    char dir[64];
    struct store *store;
    struct scores *scores;
    struct arena arena;
};

static void setup(struct world *w)
{
    struct buf why = { 0 };

    strcpy(w->dir, "/tmp/breakeven-score-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    struct store_options o = { .dir = w->dir };
    assert_int_equal(store_sqlite_open(&o, &w->store, &why), ST_OK);
    buf_release(&why);
    w->scores = scores_new(w->store);
    arena_init(&w->arena, 64 << 20);
}

static void teardown(struct world *w)
{
    char command[100];

    scores_free(w->scores);
    store_free(w->store);
    arena_release(&w->arena);
    snprintf(command, sizeof command, "rm -r %s", w->dir);
    assert_int_equal(system(command), 0);
}

static uint64_t post(struct world *w, const char *body, enum status want)
{
    struct score_list list;
    uint64_t added = 0;

    assert_int_equal(score_read(slice_str(body), now, &w->arena, &list), ST_OK);
    assert_int_equal(scores_add(w->scores, &list, &added), want);
    return added;
}

static void test_count_once(void **state)
{
    struct world w;
    struct compare_case c = { .metrics = 0 };
    const char *body = S ",\"id\":\"a\",\"pass\":true}\n" S ",\"id\":\"a\"}\n" S
                         ",\"id\":\"b\",\"time\":1789900000}\n" S "}";
    (void)state;
    setup(&w);
    assert_int_equal(post(&w, body, ST_OK), 3); /* a, b, and one without an id */
    assert_int_equal(post(&w, body, ST_OK), 1); /* the one without again */
    post(&w, "{\"workload\":\"w/w\",\"arm\":\"api\",\"metric\":\"m\",\"value\":9}",
         ST_OK);
    post(&w,
         "{\"workload\":\"w\",\"arm\":\"specialist\",\"metric\":\"m\",\"value\":-2.5}",
         ST_OK);
    assert_int_equal(score_sums(w.store, "w", now - 86400 * 30, &w.arena, &c), ST_OK);
    assert_int_equal(c.metrics, 1);
    assert_string_equal(c.metric[0], "m");
    assert_int_equal(c.arm[0].score[0].n, 4);
    assert_true(c.arm[0].score[0].sum == 4 && c.arm[0].score[0].sum2 == 4);
    assert_int_equal(c.arm[0].score[0].rated, 1);
    assert_int_equal(c.arm[0].score[0].passes, 1);
    assert_true(c.arm[1].score[0].sum == -2.5 && c.arm[1].score[0].sum2 == 6.25);
    c = (struct compare_case){ .metrics = 0 }; /* today alone: without b */
    assert_int_equal(score_sums(w.store, "w", now, &w.arena, &c), ST_OK);
    assert_int_equal(c.arm[0].score[0].n, 3);
    teardown(&w);
}

static void test_many_ids(void **state)
{
    struct world w;
    struct buf b = { 0 };
    uint64_t added = 0;
    (void)state;
    setup(&w);
    for (int id = 0; id < SCORE_IDS + 500; id += 500) {
        buf_reset(&b);
        for (int i = id; i < id + 500; i++)
            buf_addf(&b, S ",\"id\":\"%d\"}\n", i);
        added += post(&w, buf_cstr(&b), ST_OK);
        arena_reset(&w.arena);
    }
    assert_int_equal(added, 9000);                      /* 18 x 500, above SCORE_IDS */
    assert_int_equal(post(&w, buf_cstr(&b), ST_OK), 0); /* the newest are known */
    assert_int_equal(post(&w, S ",\"id\":\"0\"}", ST_OK), 1); /* the oldest forgotten */
    buf_release(&b);
    teardown(&w);
}

static void test_too_many_metrics(void **state)
{
    struct world w;
    char body[200];
    (void)state;
    setup(&w);
    for (int i = 0; i <= COMPARE_SCORES_MAX; i++) {
        snprintf(body, sizeof body,
                 "{\"workload\":\"w\",\"arm\":\"api\",\"metric\":\"m%d\",\"value\":1}",
                 i);
        post(&w, body, i < COMPARE_SCORES_MAX ? ST_OK : ST_LIMIT);
    }
    post(&w, "{\"workload\":\"w\",\"arm\":\"api\",\"metric\":\"m1\",\"value\":1}", ST_OK);
    post(&w, "{\"workload\":\"v\",\"arm\":\"api\",\"metric\":\"new\",\"value\":1}",
         ST_OK);
    teardown(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_count_once),
        cmocka_unit_test(test_many_ids),
        cmocka_unit_test(test_too_many_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
