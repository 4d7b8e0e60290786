/* Alerts end to end without a network: rules, states in a store, delivery, restarts. */
#include "testing.h"

#include "collector/alert_job.h"

/* A store that knows records only. */
struct fake {
    struct store head;
    struct {
        char kind[16], key[80], *json;
        int64_t at;
    } record[16];
    size_t n;
    struct {
        char name[32];
        int64_t last_seen;
    } agent[200];
    size_t agents, writes;
};

static enum status fake_put(struct store *s, const struct store_record *r, unsigned keep)
{
    struct fake *f = (struct fake *)s;
    size_t i = 0;
    (void)keep;
    while (i < f->n &&
           (strcmp(f->record[i].kind, r->kind) || strcmp(f->record[i].key, r->key)))
        i++;
    assert_true(i < sizeof f->record / sizeof *f->record);
    if (i == f->n)
        f->n++;
    snprintf(f->record[i].kind, sizeof f->record[i].kind, "%s", r->kind);
    snprintf(f->record[i].key, sizeof f->record[i].key, "%s", r->key);
    free(f->record[i].json);
    f->record[i].json = strdup(r->json);
    f->writes++;
    f->record[i].at = r->at;
    return ST_OK;
}

static enum status fake_list(struct store *s, const char *kind, const char *key,
                             unsigned newest, store_record_fn *fn, void *arg)
{
    struct fake *f = (struct fake *)s;
    (void)newest;
    for (size_t i = 0; i < f->n; i++) {
        if (strcmp(f->record[i].kind, kind) || (key && strcmp(f->record[i].key, key)))
            continue;
        struct store_record r = { f->record[i].kind, f->record[i].key, f->record[i].json,
                                  f->record[i].at };
        enum status st = fn(arg, &r);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

static enum status fake_scan(struct store *s, const struct store_query *q,
                             store_row_fn *fn, void *arg)
{
    (void)s, (void)q, (void)fn, (void)arg;
    return ST_OK;
}

static enum status fake_agents(struct store *s, store_agent_fn *fn, void *arg)
{
    struct fake *f = (struct fake *)s;
    for (size_t i = 0; i < f->agents; i++) {
        struct store_agent a = { .name = f->agent[i].name,
                                 .version = "1",
                                 .health = "",
                                 .last_seen = f->agent[i].last_seen };
        enum status st = fn(arg, &a);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

static void fake_release(struct fake *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->record[i].json);
}

static const struct store_engine fake_engine = { .name = "fake",
                                                 .scan = fake_scan,
                                                 .agents = fake_agents,
                                                 .record_put = fake_put,
                                                 .record_list = fake_list };

/* What was sent, one letter a message: F firing, R resolved; lower case: refused. */
struct sent {
    char text[64];
    enum status answer;
    char summary[512];
    size_t alerts; /* in the last message */
    int64_t wait_ms;
};

static enum status record_send(void *arg, const struct notify_channel *c,
                               const struct notify_message *m, struct buf *why,
                               int64_t *wait_ms)
{
    struct sent *s = arg;
    size_t n = strlen(s->text);
    (void)c;
    (void)why;
    *wait_ms = s->wait_ms;
    assert_true(n + 1 < sizeof s->text);
    s->text[n] = (char)((m->firing ? 'F' : 'R') | (s->answer == ST_OK ? 0 : 0x20));
    snprintf(s->summary, sizeof s->summary, "%.*s", SLICE_FMT(m->at[0]->summary));
    s->alerts = m->n + m->more;
    return s->answer;
}

static void project(struct fake *f, const char *verdict, double p6)
{
    char json[512];
    snprintf(
        json, sizeof json,
        "{\"verdict\":\"%s\",\"threshold_ratio\":1.25,\"calls_per_day\":900,\"month\":["
        "{\"p_crossed\":0},{\"p_crossed\":0,\"api\":{\"median\":1500},\"hosted\":{"
        "\"median\":1200}},{\"p_crossed\":0},{\"p_crossed\":0},{\"p_crossed\":0},{"
        "\"p_crossed\":0},{\"p_crossed\":%.2f}]}",
        verdict, p6);
    struct store_record r = { "projection", "support", json, 0 };
    fake_put(&f->head, &r, 1);
}

static struct notify_channel channels[] = { { .name = "a", .send_resolved = true },
                                            { .name = "b", .send_resolved = false } };

static const struct workload workload = { .name = "support" };

static struct alert_config config = {
    .channels = { channels, 2 },
    .give_up_ms = 86400000,
    .group_wait_ms = 60000,
    .crossed = { .enabled = true, .resolve_ms = 1000 },
    .forecast = { .enabled = true,
                  .resolve_ms = 1000,
                  .within_months = 6,
                  .probability = .8 },
    .silent = { .enabled = true, .after_ms = 900000, .forget_ms = 864000000 },
};

static void run_with(struct fake *f, struct sent *s, const struct silences *silences,
                     int64_t now_ms)
{
    struct alert_memory memory = { 0 };
    struct alert_job job = { .source = { .store = &f->head,
                                         .config = &config,
                                         .workload = &workload,
                                         .workloads = 1 },
                             .silences = silences,
                             .memory = &memory,
                             .send = record_send,
                             .send_arg = s };
    assert_int_equal(alert_job_run(&job, now_ms, 1.0), ST_OK);
}

static void run(struct fake *f, struct sent *s, int64_t now_ms)
{
    run_with(f, s, NULL, now_ms);
}

/* Each run starts from the store alone, so each is a restart too. */
static void test_once_per_change(void **state)
{
    (void)state;
    struct fake f = { .head = { &fake_engine } };
    struct sent s = { .answer = ST_OK };
    project(&f, "possible", .5);
    run(&f, &s, 1000);
    assert_string_equal(s.text, "");
    project(&f, "crossed", 1);
    run(&f, &s, 2000);
    assert_string_equal(s.text, "FF");
    assert_non_null(strstr(s.summary,
                           "support: hosting your own model is cheaper now, $1200 "
                           "against $1500"));
    run(&f, &s, 3000);
    run(&f, &s, 4000);
    assert_string_equal(s.text, "FF");
    project(&f, "possible", .5);
    run(&f, &s, 5000);
    assert_string_equal(s.text, "FF");
    run(&f, &s, 6000); /* over for resolve_ms; channel b wants no resolved messages */
    assert_string_equal(s.text, "FFR");
    run(&f, &s, 7000);
    assert_string_equal(s.text, "FFR");
    fake_release(&f);
}

static void test_forecast(void **state)
{
    (void)state;
    struct fake f = { .head = { &fake_engine } };
    struct sent s = { .answer = ST_OK };
    project(&f, "likely", .79);
    run(&f, &s, 1000);
    assert_string_equal(s.text, "");
    project(&f, "likely", .8);
    run(&f, &s, 2000);
    assert_string_equal(s.text, "FF");
    assert_non_null(strstr(s.summary, "within 6 months) is 80 %"));
    fake_release(&f);
}

static void test_unknown_changes_nothing(void **state)
{
    (void)state;
    struct fake f = { .head = { &fake_engine } };
    struct sent s = { .answer = ST_OK };
    project(&f, "refused", 1);
    run(&f, &s, 1000);
    project(&f, "crossed", 1);
    run(&f, &s, 2000);
    project(&f, "refused", 0);
    for (int64_t t = 3000; t < 20000; t += 1000)
        run(&f, &s, t);
    assert_string_equal(s.text, "FF");
    struct store_record broken = { "projection", "support", "{\"verdict\":", 0 };
    fake_put(&f.head, &broken, 1);
    run(&f, &s, 30000);
    assert_string_equal(s.text, "FF");
    fake_release(&f);
}

static void test_receiver_down(void **state)
{
    (void)state;
    struct fake f = { .head = { &fake_engine } };
    struct sent s = { .answer = ST_BUSY };
    project(&f, "crossed", 1);
    run(&f, &s, 1000);
    assert_string_equal(s.text, "ff");
    s.answer = ST_OK;
    run(&f, &s, 60000);
    assert_string_equal(s.text, "ffFF");
    run(&f, &s, 600000);
    assert_string_equal(s.text, "ffFF");
    fake_release(&f);
}

/* Retry-After is longer than our own patience, but not endless. */
static void test_receiver_asks_to_wait(void **state)
{
    (void)state;
    static const struct {
        int64_t asked, waits;
    } rows[] = {
        { 0, 10000 }, { 5000, 10000 }, { 120000, 120000 }, { 80000000, 3600000 }
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fake f = { .head = { &fake_engine } };
        struct sent s = { .answer = ST_BUSY, .wait_ms = rows[i].asked };
        project(&f, "crossed", 1);
        run(&f, &s, 1000);
        s.answer = ST_OK;
        run(&f, &s, 1000 + rows[i].waits - 1);
        CHECK(strcmp(s.text, "ff") == 0, "%lld: %s", (long long)rows[i].asked, s.text);
        run(&f, &s, 1000 + rows[i].waits);
        CHECK(strcmp(s.text, "ffFF") == 0, "%lld: %s", (long long)rows[i].asked, s.text);
        fake_release(&f);
    }
}

/* A secret that cannot be read is put back, and the message was not lost. */
static void test_secret_missing_for_a_while(void **state)
{
    (void)state;
    struct fake f = { .head = { &fake_engine } };
    struct sent s = { .answer = ST_CONFIG };
    project(&f, "crossed", 1);
    run(&f, &s, 1000);
    s.answer = ST_OK;
    run(&f, &s, 60000);
    assert_string_equal(s.text, "ffFF");
    fake_release(&f);
}

static void test_receiver_refuses(void **state)
{
    (void)state;
    struct fake f = { .head = { &fake_engine } };
    struct sent s = { .answer = ST_BAD };
    project(&f, "crossed", 1);
    run(&f, &s, 1000);
    run(&f, &s, 60000);
    assert_string_equal(s.text, "ff");
    fake_release(&f);
}

static void test_damaged_state(void **state)
{
    (void)state;
    struct fake f = { .head = { &fake_engine } };
    struct sent s = { .answer = ST_OK };
    struct store_record r = { "alerts", "breakeven_crossed", "{\"alerts\":7", 0 };
    fake_put(&f.head, &r, 1);
    project(&f, "crossed", 1);
    run(&f, &s, 1000);
    assert_string_equal(s.text, "FF");
    fake_release(&f);
}

/* A hundred agents fall silent, within a minute and a half of looks: one message. */
static void test_storm(void **state)
{
    (void)state;
    struct fake f = { .head = { &fake_engine }, .agents = 100 };
    struct sent s = { .answer = ST_OK };
    int64_t now = INT64_C(1800000000000);
    for (size_t i = 0; i < f.agents; i++) {
        snprintf(f.agent[i].name, sizeof f.agent[i].name, "web-%zu", i);
        f.agent[i].last_seen = now / 1000 - (int64_t)(i % 60);
    }
    int64_t end = now + 1200000;
    for (; now < end; now += 30000)
        run(&f, &s, now);
    assert_string_equal(s.text, "FF"); /* once for each channel */
    assert_int_equal(s.alerts, 100);
    size_t writes = f.writes;
    run(&f, &s, now);
    assert_int_equal(f.writes, writes); /* nothing changed, nothing written */
    for (size_t i = 0; i < f.agents; i++)
        f.agent[i].last_seen = now / 1000;
    for (end = now + 300000; now < end; now += 30000)
        run(&f, &s, now);
    assert_string_equal(s.text, "FFR");
    assert_int_equal(s.alerts, 100);
    fake_release(&f);
}

/* What a silence holds back comes after it if it is still so; an acknowledged firing is
 * never said, its end only to those who heard of it. */
static void test_silenced(void **state)
{
    (void)state;
    struct fake f = { .head = { &fake_engine } };
    struct sent s = { .answer = ST_OK };
    struct silence at = { .id = SLICE("1"),
                          .match = SLICE("workload=sup*"),
                          .until_ms = 5000 };
    struct silences silences = { .at = &at, .n = 1 };
    project(&f, "crossed", 1);
    run_with(&f, &s, &silences, 1000);
    run_with(&f, &s, &silences, 4999);
    assert_string_equal(s.text, "");
    run_with(&f, &s, &silences, 5000);
    assert_string_equal(s.text, "FF");
    project(&f, "possible", .5);
    run(&f, &s, 6000);
    run(&f, &s, 7000);
    assert_string_equal(s.text, "FFR");
    at = (struct silence){
        .id = SLICE("2"), .match = SLICE("*"), .ack = true, .at_ms = 9000
    };
    project(&f, "crossed", 1);
    s.answer = ST_BUSY;
    run_with(&f, &s, NULL, 8000);
    s.answer = ST_OK;
    assert_string_equal(s.text, "FFRff");
    run_with(&f, &s, &silences, 900000);
    project(&f, "possible", .5);
    run_with(&f, &s, &silences, 901000);
    run_with(&f, &s, &silences, 902000);
    assert_string_equal(s.text, "FFRff");
    fake_release(&f);
}

/* A workload that left the configuration takes its alerts with it. */
static void test_workload_removed(void **state)
{
    (void)state;
    struct fake f = { .head = { &fake_engine } };
    struct sent s = { .answer = ST_OK };
    struct store_record r = { "projection", "gone", "{\"verdict\":\"crossed\"}", 0 };
    fake_put(&f.head, &r, 1);
    run(&f, &s, 1000);
    assert_string_equal(s.text, "");
    fake_release(&f);
}

/* A channel that never answers is given up after give_up, and the log says so. */
static void test_given_up(void **state)
{
    (void)state;
    struct fake f = { .head = { &fake_engine } };
    struct sent s = { .answer = ST_BUSY };
    project(&f, "crossed", 1);
    config.give_up_ms = 30000;
    for (int64_t t = 1000; t < 200000; t += 1000)
        run(&f, &s, t);
    config.give_up_ms = 86400000;
    assert_string_equal(s.text, "ffffff"); /* at 1, 11 and 31 seconds, twice */
    fake_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once_per_change),
        cmocka_unit_test(test_forecast),
        cmocka_unit_test(test_unknown_changes_nothing),
        cmocka_unit_test(test_receiver_down),
        cmocka_unit_test(test_receiver_asks_to_wait),
        cmocka_unit_test(test_secret_missing_for_a_while),
        cmocka_unit_test(test_receiver_refuses),
        cmocka_unit_test(test_damaged_state),
        cmocka_unit_test(test_storm),
        cmocka_unit_test(test_silenced),
        cmocka_unit_test(test_workload_removed),
        cmocka_unit_test(test_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
