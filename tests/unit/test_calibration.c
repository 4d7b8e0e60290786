/*
 * Are probabilities of crossing what they say? On public monthly series: the mean
 * predicted P(crossed within the horizon) against the share that did. Skipped without the
 * corpus.
 */
#include "testing.h"

#include "collector/projection/paths.h"
#include "collector/projection/series_csv.h"
#include "collector/projection/stats.h"

#include <math.h>
#include <zlib.h>

enum { LINE = 1 << 16, PATHS = 500, SEASON = 12 };

struct tally {
    int series;
    double predicted, crossed, brier;
};

static gzFile open_part(const char *set, const char *part)
{
    const char *corpus = getenv("BREAKEVEN_CORPUS");
    char path[512];

    snprintf(path, sizeof path, "%s/forecast/%s_%s.csv.gz",
             corpus ? corpus : "../shared/data", set, part);
    return gzopen(path, "rb");
}

/* The level to cross: 1.1 times the mean of the last season. */
static double level_of(const struct series_line *s)
{
    double sum = 0;
    int k = 0;

    for (int t = s->n > SEASON ? s->n - SEASON : 0; t < s->n; t++) {
        if (isnan(s->y[t]))
            continue;
        sum += s->y[t];
        k++;
    }
    return 1.1 * sum / k;
}

static bool did_cross(char *test, double level)
{
    char *value = strchr(strchr(test, ',') + 1, ',');

    for (; value; value = strchr(value + 1, ','))
        if (strtod(value + 1, NULL) >= level)
            return true;
    return false;
}

static void one_series(char *train, char *test, struct arena *a, struct tally *t)
{
    struct series_line s;
    struct forecast f;
    struct paths p;
    struct buf why = { 0 };

    assert_int_equal(series_csv_line(slice_str(train), a, &s, &why), ST_OK);
    struct forecast_request rq = {
        .y = s.y, .n = s.n, .season = s.season, .horizon = s.horizon
    };
    assert_int_equal(forecast_make(&rq, a, &f), ST_OK);
    assert_int_equal(paths_draw(&f, PATHS, dice_seed_of(s.id), a, &p), ST_OK);
    double k[64], at[PATHS], level = level_of(&s);
    assert_true(s.horizon <= 64);
    for (int i = 0; i < s.horizon; i++)
        k[i] = level;
    paths_first_passage(&p, PASSAGE_LEVEL, k, at);
    double predicted = paths_share_by(at, PATHS, s.horizon - 1);
    double crossed = did_cross(test, level);
    t->series++;
    t->predicted += predicted;
    t->crossed += crossed;
    t->brier += (predicted - crossed) * (predicted - crossed);
}

static void set_is_calibrated(const char *set)
{
    gzFile train = open_part(set, "train"), test = open_part(set, "test");
    static char a_line[LINE], b_line[LINE];
    struct arena a;
    struct tally t = { 0 };

    if (!train || !test) {
        printf("%s: skipped, no corpus (BREAKEVEN_CORPUS)\n", set);
        if (train)
            gzclose(train);
        if (test)
            gzclose(test);
        skip();
    }
    arena_init(&a, 64 << 20);
    gzgets(train, a_line, LINE);
    gzgets(test, b_line, LINE);
    while (gzgets(train, a_line, LINE) && gzgets(test, b_line, LINE)) {
        one_series(a_line, b_line, &a, &t);
        arena_reset(&a);
    }
    arena_release(&a);
    gzclose(train);
    gzclose(test);
    double p = t.predicted / t.series, share = t.crossed / t.series;
    printf("%s: mean P(crossed) %.3f, share that crossed %.3f, Brier skill %.2f\n", set,
           p, share, 1 - t.brier / t.series / (share * (1 - share)));
    CHECK(fabs(p - share) <= 0.04, "%s", set);
}

static void m3m(void **state)
{
    (void)state;
    set_is_calibrated("m3m");
}

static void pypim(void **state)
{
    (void)state;
    set_is_calibrated("pypim");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(m3m),
        cmocka_unit_test(pypim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
