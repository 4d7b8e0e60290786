/* Sample paths and first passages. */
#include "testing.h"

#include "collector/projection/dice.h"
#include "collector/projection/paths.h"

#include <math.h>

/* A flat forecast of 100 with sigma .1 a step, in logs, errors that do not last. */
static struct forecast flat(double *room, int h)
{
    struct forecast f = { .h = h, .n = 100, .error_logs = true };

    f.point = room;
    f.sigma = room + h;
    f.factor = room + 2 * h;
    f.psi = room + 3 * h;
    for (int i = 0; i < h; i++) {
        f.point[i] = 100;
        f.sigma[i] = 0.1 * sqrt(i + 1);
        f.factor[i] = 1;
        f.psi[i] = 1; /* a random walk */
    }
    return f;
}

static void marginals_keep_sigma(void **state)
{
    (void)state;
    enum { H = 12, N = 4000 };
    double room[4 * H];
    struct forecast f = flat(room, H);
    struct arena a;
    struct paths p;

    arena_init(&a, 8 << 20);
    assert_int_equal(paths_draw(&f, N, 1, &a, &p), ST_OK);
    for (int i = 0; i < H; i++) {
        double sum = 0, square = 0;
        for (int r = 0; r < N; r++) {
            double u = log(paths_row(&p, r)[i] / 100);
            sum += u;
            square += u * u;
        }
        double sd = sqrt(square / N);
        assert_true(fabs(sum / N) < 1e-9); /* mirrored pairs */
        CHECK(fabs(sd / f.sigma[i] - 1) < 0.05, "step %d: %g for %g", i, sd, f.sigma[i]);
    }
    arena_release(&a);
}

static void seeds_decide(void **state)
{
    (void)state;
    double room[4 * 5];
    struct forecast f = flat(room, 5);
    struct arena a;
    struct paths p, q, r;

    arena_init(&a, 1 << 20);
    paths_draw(&f, 100, dice_seed_of(SLICE("a")), &a, &p);
    paths_draw(&f, 100, dice_seed_of(SLICE("a")), &a, &q);
    paths_draw(&f, 100, dice_seed_of(SLICE("b")), &a, &r);
    assert_memory_equal(p.y, q.y, 500 * sizeof *p.y);
    assert_memory_not_equal(p.y, r.y, 500 * sizeof *p.y);
    arena_release(&a);
}

/* Three paths by hand: levels first reached, and sums interpolated inside a step. */
static void passages_by_hand(void **state)
{
    (void)state;
    double y[3][4] = { { 1, 2, 3, 4 }, { 5, 1, 1, 1 }, { 1, 1, 1, 1 } };
    struct paths p = { .n = 3, .h = 4, .y = &y[0][0] };
    double k[4] = { 3, 3, 3, 3 }, at[3];

    paths_first_passage(&p, PASSAGE_LEVEL, k, at);
    assert_true(at[0] == 2 && at[1] == 0 && at[2] == -1);
    assert_true(paths_share_by(at, 3, 1) == 1 / 3.0);
    assert_true(paths_share_by(at, 3, 3) == 2 / 3.0);
    assert_true(paths_quantile(at, 3, 0.5) == 2);
    assert_true(paths_quantile(at, 3, 0.1) == 0);
    assert_true(paths_quantile(at, 3, 0.9) == -1);

    for (int i = 0; i < 4; i++)
        k[i] = 4.5;
    paths_first_passage(&p, PASSAGE_SUM, k, at);
    assert_true(at[0] == 2.5); /* 1 + 2, then half of 3 */
    assert_true(at[1] == 0.9); /* 4.5 of the first 5 */
    assert_true(at[2] == -1);  /* 4 in all */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marginals_keep_sigma),
        cmocka_unit_test(seeds_decide),
        cmocka_unit_test(passages_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
