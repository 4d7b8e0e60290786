/* Decision records: what changed, in words; what is worth keeping; what the store gets.
 */
#include "testing.h"

#include "collector/projection/decide_record.h"
#include "collector/store.h"
#include "common/json_pointer.h"

#include <math.h>

enum { DAY = 86400 };

/* A store of one key: the newest document. */
struct shelf {
    struct store head;
    char json[1 << 15];
    int64_t at;
    int puts;
    unsigned keep;
};

static enum status shelf_put(struct store *s, const struct store_record *r, unsigned keep)
{
    struct shelf *shelf = (struct shelf *)s;

    assert_string_equal(r->kind, "decision");
    assert_string_equal(r->key, "support");
    snprintf(shelf->json, sizeof shelf->json, "%s", r->json);
    shelf->at = r->at;
    shelf->keep = keep;
    shelf->puts++;
    return ST_OK;
}

static enum status shelf_list(struct store *s, const char *kind, const char *key,
                              unsigned newest, store_record_fn *fn, void *arg)
{
    struct shelf *shelf = (struct shelf *)s;
    struct store_record r = { kind, key, shelf->json, shelf->at };

    (void)newest;
    return shelf->puts ? fn(arg, &r) : ST_OK;
}

static const struct store_engine engine = { .name = "shelf",
                                            .record_put = shelf_put,
                                            .record_list = shelf_list };

struct fixture {
    struct shelf shelf;
    struct price_book *book;
    struct arena a;
    struct workload w;
    struct projection_result r;
    struct decision_record rec;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct buf why = { 0 };

    assert_int_equal(price_book_open(NULL, NULL, &f->book, &why), ST_OK);
    arena_init(&f->a, 4 << 20);
    f->shelf.head.engine = &engine;
    f->w = (struct workload){ .name = "support", .decision = { .examples = -1 } };
    f->r = (struct projection_result){ .workload = "support",
                                       .at = INT64_C(20780) * DAY,
                                       .verdict = PROJECTION_UNLIKELY,
                                       .calls_per_day = 1000,
                                       .usd_per_day = 10,
                                       .threshold_calls_per_day = 4000,
                                       .threshold_ratio = 0.25,
                                       .failed_share = NAN,
                                       .cached_share = NAN,
                                       .per_call_drift = NAN,
                                       .saving12 = { .median = -900 } };
    f->r.scenario.coverage = (struct input){ 0.9, INPUT_DECLARED };
    buf_release(&why);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    price_book_free(f->book);
    arena_release(&f->a);
    free(f);
    return 0;
}

static void make(struct fixture *f)
{
    assert_int_equal(
        decision_record_make(&f->shelf.head, f->book, &f->w, &f->r, NULL, &f->a, &f->rec),
        ST_OK);
}

static void keep(struct fixture *f)
{
    make(f);
    assert_int_equal(decision_record_save(&f->shelf.head, &f->rec), ST_OK);
}

static bool says(const struct fixture *f, const char *sentence)
{
    for (int i = 0; i < f->rec.changes.n; i++)
        if (strcmp(f->rec.changes.at[i], sentence) == 0)
            return true;
    return false;
}

static void the_first_is_kept(void **state)
{
    struct fixture *f = *state;
    char hold[100];
    struct slice text;

    keep(f);
    assert_true(f->rec.first && decision_record_matters(&f->rec));
    assert_int_equal(f->shelf.keep, 0); /* all of them */
    assert_int_equal(f->shelf.at, f->r.at);
    struct slice doc = slice_str(f->shelf.json);
    assert_int_equal(json_pointer(doc, "/changes", hold, sizeof hold, &text), JSON_NULL);
    assert_int_equal(json_pointer(doc, "/price_book", hold, sizeof hold, &text),
                     JSON_STRING);
    assert_true(f->rec.versions.price_book > 0 && f->rec.versions.price_book <= f->r.at);
    assert_int_equal(f->rec.versions.price_book % DAY, 0);
    assert_int_equal(price_book_day(f->book, 0), 0); /* no price is that old */
    make(f);                                         /* the same again */
    assert_false(f->rec.first);
    assert_int_equal(f->rec.changes.n, 0);
    assert_false(decision_record_matters(&f->rec));
}

static void noise_is_shown_and_not_kept(void **state)
{
    struct fixture *f = *state;

    keep(f);
    f->r.calls_per_day = 1090;
    make(f);
    assert_true(says(f, "calls a day: 1090, was 1000 (+9 %)"));
    assert_int_equal(f->rec.changes.n, 1);
    assert_false(decision_record_matters(&f->rec));
    /* Small steps add up: the record before is what counts. */
    f->r.calls_per_day = 1120;
    make(f);
    assert_true(decision_record_matters(&f->rec));
}

/* A tenth of next to nothing is noise; one way and the other of each bound. */
static void small_numbers(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *was, *is;
        bool matters;
    } rows[] = {
        { "\"crossing_p12\":0.0025", "\"crossing_p12\":0.004", false },
        { "\"crossing_p12\":0.30", "\"crossing_p12\":0.45", true },
        { "\"crossing_months50\":3", "\"crossing_months50\":3.9", false },
        { "\"crossing_months50\":3", "\"crossing_months50\":4", true },
        { "\"crossing_months50\":null", "\"crossing_months50\":11.9", true },
        { "\"saving12\":-40", "\"saving12\":59", false },
        { "\"saving12\":-40", "\"saving12\":60", true },
        { "\"saving12\":50000", "\"saving12\":51000", false },
        { "\"calls_per_day\":0", "\"calls_per_day\":1", true },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char before[100], after[100];
        struct decision_changes c;
        int n = snprintf(before, sizeof before, "{\"projection\":{%s}}", rows[i].was);
        int m = snprintf(after, sizeof after, "{\"projection\":{%s}}", rows[i].is);
        assert_int_equal(decision_compare(slice_of(before, (size_t)n),
                                          slice_of(after, (size_t)m), &f->a, &c),
                         ST_OK);
        CHECK(c.n == 1 && c.material == rows[i].matters, "%s -> %s", rows[i].was,
              rows[i].is);
    }
}

static void changes_in_words(void **state)
{
    struct fixture *f = *state;

    keep(f);
    f->r.verdict = PROJECTION_LIKELY;
    f->r.threshold_ratio = 1.2;
    f->r.threshold_calls_per_day = -1; /* unknown now */
    f->r.saving12.median = 900;
    f->r.scenario.coverage.v = 0.8;
    f->r.scenario.gpu = "l40s";
    f->w.decision.privacy = NEED_HIGH;
    f->w.decision.examples = 340;
    make(f);
    assert_true(decision_record_matters(&f->rec));
    static const char *const sentences[] = {
        "recommendation: run the test, was stay with the API",
        "step: test, was measure",
        "volume speaks: for, was against",
        "verdict of the projection: likely, was unlikely",
        "threshold, calls a day: unknown, was 4000",
        "USD saved after 12 months: 900, was -900",
        "coverage: 0.8, was 0.9 (-11.1 %)",
        "GPU: l40s, was none",
        "privacy: high, was unknown",
        "examples: 340, was unknown",
    };
    for (size_t i = 0; i < COUNT_OF(sentences); i++)
        CHECK(says(f, sentences[i]), "%s", sentences[i]);
    keep(f);
    assert_non_null(strstr(f->shelf.json, "\"step: test, was measure\""));
}

static void only_versions_do_not_matter(void **state)
{
    struct fixture *f = *state;
    struct decision_changes c;

    assert_int_equal(decision_compare(SLICE("{\"program\":\"1\",\"score\":0.5}"),
                                      SLICE("{\"program\":\"2\",\"score\":0.5}"), &f->a,
                                      &c),
                     ST_OK);
    assert_int_equal(c.n, 1);
    assert_string_equal(c.at[0], "program: 2, was 1");
    assert_false(c.material);
    /* A damaged record reads as unknown. */
    assert_int_equal(
        decision_compare(SLICE("{\"pro"), SLICE("{\"score\":0.5}"), &f->a, &c), ST_OK);
    assert_string_equal(c.at[0], "score: 0.5, was unknown");
    assert_true(c.material);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(noise_is_shown_and_not_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(small_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_in_words, setup, teardown),
        cmocka_unit_test_setup_teardown(only_versions_do_not_matter, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
