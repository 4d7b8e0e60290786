/* Alerts end to end without a network: rules, states in a store, delivery, restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "collector/alert_job.h"

/* A store that knows records only. */
struct fake {
    struct store head;
    struct {
        char kind[16], key[80], json[4096];
        int64_t at;
    } record[16];
    size_t n;
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
    snprintf(f->record[i].json, sizeof f->record[i].json, "%s", r->json);
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

static const struct store_engine fake_engine = { .name = "fake",
                                                 .record_put = fake_put,
                                                 .record_list = fake_list };

/* What was sent, one letter a message: F firing, R resolved; lower case: refused. */
struct sent {
    char text[64];
    enum status answer;
    char summary[256];
};

static enum status record_send(void *arg, const struct notify_channel *c,
                               const struct notify_message *m, struct buf *why)
{
    struct sent *s = arg;
    size_t n = strlen(s->text);
    (void)c;
    (void)why;
    assert_true(n + 1 < sizeof s->text);
    s->text[n] = (char)((m->firing ? 'F' : 'R') | (s->answer == ST_OK ? 0 : 0x20));
    snprintf(s->summary, sizeof s->summary, "%.*s", SLICE_FMT(m->summary));
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

static const struct alert_config config = {
    .channels = { channels, 2 },
    .crossed = { .enabled = true, .resolve_ms = 1000 },
    .forecast = { .enabled = true,
                  .resolve_ms = 1000,
                  .within_months = 6,
                  .probability = .8 },
};

static void run(struct fake *f, struct sent *s, int64_t now_ms)
{
    struct alert_job job = {
        .store = &f->head, .config = &config, .send = record_send, .send_arg = s
    };
    assert_int_equal(alert_job_run(&job, now_ms, 1.0), ST_OK);
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
}

static void test_damaged_state(void **state)
{
    (void)state;
    struct fake f = { .head = { &fake_engine } };
    struct sent s = { .answer = ST_OK };
    struct store_record r = { "alert", "breakeven_crossed/support", "{\"phase\":7", 0 };
    fake_put(&f.head, &r, 1);
    project(&f, "crossed", 1);
    run(&f, &s, 1000);
    assert_string_equal(s.text, "FF");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once_per_change),
        cmocka_unit_test(test_forecast),
        cmocka_unit_test(test_unknown_changes_nothing),
        cmocka_unit_test(test_receiver_down),
        cmocka_unit_test(test_receiver_refuses),
        cmocka_unit_test(test_damaged_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
