/* Replicas and their cost, case by case with the arithmetic written out. */
#include "testing.h"

#include "collector/projection/dice.h"
#include "collector/projection/hosted.h"

#include <math.h>

/* One GPU at $1 an hour, 100 output tokens/s, no headroom, no minimum. */
static struct scenario plain(void)
{
    return (struct scenario){
        .gpu = "g",
        .gpu_hour = { 1, INPUT_DECLARED },
        .gpus_per_replica = { 1, INPUT_DECLARED },
        .output_tokens_per_s = { 100, INPUT_DECLARED },
        .coverage = { 1, INPUT_DECLARED },
        .capacity = CAPACITY_PEAK,
    };
}

/* An even week, 50 output and 1,000 input tokens a call: half a second of a replica. */
static struct hosted_load even(void)
{
    struct hosted_load l;

    hosted_load_flat(&l);
    l.output_per_call = 50;
    l.input_per_call = 1000;
    return l;
}

/* All of the week's calls in its first hour. */
static struct hosted_load spike(void)
{
    struct hosted_load l = even();

    memset(l.share, 0, sizeof l.share);
    l.share[0] = 1;
    hosted_load_settle(&l);
    return l;
}

static void no_change(struct scenario *s, struct hosted_load *l)
{
    (void)s;
    (void)l;
}

static void with_headroom(struct scenario *s, struct hosted_load *l)
{
    (void)l;
    s->headroom.v = 0.3;
}

static void with_min_2(struct scenario *s, struct hosted_load *l)
{
    (void)l;
    s->min_replicas.v = 2;
}

static void with_prefill(struct scenario *s, struct hosted_load *l)
{
    (void)l;
    s->input_tokens_per_s.v = 2000;
}

static void with_request_limit(struct scenario *s, struct hosted_load *l)
{
    (void)l;
    s->requests_per_s.v = 0.5;
}

static void with_burst(struct scenario *s, struct hosted_load *l)
{
    (void)s;
    l->burst = 3;
}

static void half_covered(struct scenario *s, struct hosted_load *l)
{
    (void)l;
    s->coverage.v = 0.5;
}

static void spiked(struct scenario *s, struct hosted_load *l)
{
    (void)s;
    *l = spike();
}

static void spiked_autoscale(struct scenario *s, struct hosted_load *l)
{
    *l = spike();
    s->capacity = CAPACITY_AUTOSCALE;
    s->min_replicas.v = 1;
}

static void spiked_to_zero(struct scenario *s, struct hosted_load *l)
{
    *l = spike();
    s->capacity = CAPACITY_ZERO;
    s->min_replicas.v = 1;
}

static void without_gpu(struct scenario *s, struct hosted_load *l)
{
    (void)l;
    s->gpu = NULL;
}

static void staircase_by_hand(void **state)
{
    (void)state;
    static const struct {
        const char *arithmetic;
        void (*change)(struct scenario *s, struct hosted_load *l);
        double calls_per_day, replicas;
    } rows[] = {
        /* 86,400 calls a day = 1 call/s. */
        { "1/s x 0.5 s = 0.5, one replica", no_change, 86400, 1 },
        { "2/s x 0.5 s = 1.0 exactly, still one", no_change, 172800, 1 },
        { "2.00001/s x 0.5 s = 1.000005, the second", no_change, 172801, 2 },
        { "7/s x 0.5 s = 3.5, four", no_change, 604800, 4 },
        { "no calls, no minimum: none", no_change, 0, 0 },
        { "no calls, minimum 2", with_min_2, 0, 2 },
        { "5/s x 0.5 = 2.5 is above the minimum: three", with_min_2, 432000, 3 },
        { "2/s x 1.3 x 0.5 s = 1.3, two", with_headroom, 172800, 2 },
        { "4/s x 1.3 x 0.5 s = 2.6, three", with_headroom, 345600, 3 },
        { "2/s x (0.5 s decode + 1000/2000 s prefill) = 2", with_prefill, 172800, 2 },
        { "requests bind: 2/s x 1/0.5 s = 4, not 1", with_request_limit, 172800, 4 },
        { "2/s x burst 3 x 0.5 s = 3", with_burst, 172800, 3 },
        { "4/s x half covered x 0.5 s = 1", half_covered, 345600, 1 },
        { "3,600 a day = 25,200 in one hour = 7/s x 0.5 s = 3.5, four", spiked, 3600, 4 },
        { "that hour 4, the other 167 one: (4 + 167) / 168", spiked_autoscale, 3600,
          171.0 / 168 },
        { "that hour 4, the others none: 4 / 168", spiked_to_zero, 3600, 4.0 / 168 },
        { "no GPU line, no replicas", without_gpu, 604800, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct scenario s = plain();
        struct hosted_load l = even();
        rows[i].change(&s, &l);
        double got = hosted_replicas(&s, &l, rows[i].calls_per_day);
        CHECK(fabs(got - rows[i].replicas) < 1e-9, "%s: got %g", rows[i].arithmetic, got);
    }
}

static void months_by_hand(void **state)
{
    (void)state;
    struct scenario s = plain();
    struct hosted_load l = even();
    struct hosted_cost c;

    s.monthly_fixed.v = 300;
    s.retrain.v = 500;
    s.retrain_months.v = 3;
    s.coverage.v = 0.8;
    s.escalation.v = 0.1;
    /* 7/s x 0.8 covered x 0.5 s = 2.8: three replicas. */
    struct hosted_month m = { .calls_per_day = 604800,
                              .api_usd = 1000,
                              .days = 28,
                              .fraction = 1,
                              .number = 3,
                              .gpu = 1 };
    hosted_month_cost(&s, &l, &m, &c);
    assert_true(c.replicas == 3);
    assert_true(fabs(c.gpu - 3 * 24 * 28) < 1e-9);         /* $2,016 */
    assert_true(fabs(c.api - 1000 * (0.2 + 0.08)) < 1e-9); /* not taken + escalated */
    assert_true(c.fixed == 300 && c.retrain == 500);
    assert_true(fabs(c.total - (2016 + 280 + 300 + 500)) < 1e-9);

    /* 31 days: three more days of GPU, the same fixed cost; month 4 does not retrain. */
    m.days = 31;
    m.number = 4;
    hosted_month_cost(&s, &l, &m, &c);
    assert_true(fabs(c.total - (3 * 24 * 31 + 280 + 300)) < 1e-9);

    /* Month 0 never retrains; a GPU price of -19 % a year after two years: 0.81^2. */
    m.number = 0;
    m.gpu = 0.81 * 0.81;
    hosted_month_cost(&s, &l, &m, &c);
    assert_true(fabs(c.gpu - 3 * 24 * 31 * 0.81 * 0.81) < 1e-9 && c.retrain == 0);
}

/* Coverage 0: nothing is saved, everything is paid. Coverage 1: no API left. */
static void coverage_ends(void **state)
{
    (void)state;
    struct scenario s = plain();
    struct hosted_load l = even();
    struct hosted_cost c;
    struct hosted_month m = {
        .calls_per_day = 86400, .api_usd = 777, .days = 30, .fraction = 1, .gpu = 1
    };

    hosted_month_cost(&s, &l, &m, &c);
    assert_true(c.api == 0 && c.gpu == 720);
    s.coverage.v = 0;
    hosted_month_cost(&s, &l, &m, &c);
    assert_true(c.api == 777 && c.gpu == 0);
    s.min_replicas.v = 2;
    hosted_month_cost(&s, &l, &m, &c);
    assert_true(c.total == 777 + 1440);
}

static void cost_grows_with_volume(void **state)
{
    (void)state;
    struct rng seed = rng_open("cost_grows_with_volume");
    struct dice d;

    dice_init(&d, rng_next(&seed));
    for (int k = 0; k < 300; k++) {
        struct scenario s = plain();
        struct hosted_load l = even();
        double sum = 0, before = -1;
        for (int h = 0; h < HOSTED_WEEK; h++)
            sum += l.share[h] = dice_uniform(&d) < 0.2 ? 0 : dice_uniform(&d);
        for (int h = 0; h < HOSTED_WEEK; h++)
            l.share[h] /= sum;
        hosted_load_settle(&l);
        l.burst = 1 + 3 * dice_uniform(&d);
        s.capacity = (enum hosted_capacity)(k % 3);
        s.min_replicas.v = k % 4;
        s.coverage.v = dice_uniform(&d);
        s.escalation.v = dice_uniform(&d);
        s.headroom.v = dice_uniform(&d);
        for (double calls = 0; calls < 3e7; calls = calls * 1.3 + 1000) {
            struct hosted_cost c;
            struct hosted_month m = { .calls_per_day = calls,
                                      .api_usd = calls * 0.003 * 30,
                                      .days = 30,
                                      .fraction = 1,
                                      .gpu = 1 };
            hosted_month_cost(&s, &l, &m, &c);
            CHECK(c.total >= before, "case %d at %g calls: %g after %g", k, calls,
                  c.total, before);
            before = c.total;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(staircase_by_hand),
        cmocka_unit_test(months_by_hand),
        cmocka_unit_test(coverage_ends),
        cmocka_unit_test(cost_grows_with_volume),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
