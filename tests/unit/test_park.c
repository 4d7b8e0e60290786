/* Parked exchanges against a model: whatever is written stays, at the same address. */
#include "testing.h"

#include "agent/park.h"

enum { MANY = 3 * PARK_PLACES + 7, STEPS = 20000 };

/* A few bytes of an exchange that tell it from all others. */
static void write_some(struct exchange *e, struct rng *r, uint32_t *model)
{
    size_t at = rng_below(r, sizeof e->path_model);
    uint32_t v = (uint32_t)rng_next(r);
    e->searches = v;
    e->path_model[at] = (char)v;
    e->names.name[rng_below(r, RAW_STRS)][at % RAW_TEXT] = (char)(v >> 8);
    e->scope[sizeof e->scope - 1] = (char)(v >> 16); /* near the end */
    *model = v;
}

static void against_a_model(void **state)
{
    struct rng r = rng_open("park");
    struct park *p = park_new();
    static struct parked *e[MANY];
    static struct exchange *at[MANY];
    static uint32_t model[MANY];
    static struct exchange copy[MANY];
    (void)state;
    for (size_t i = 0; i < MANY; i++)
        assert_non_null(e[i] = park_add(p));
    for (int step = 0; step < STEPS; step++) {
        size_t i = rng_below(&r, MANY);
        if (!rng_below(&r, 8)) { /* ends, and another begins */
            park_remove(p, e[i]);
            assert_non_null(e[i] = park_add(p));
            memset(&copy[i], 0, sizeof copy[i]);
            at[i] = NULL;
            model[i] = 0;
        }
        struct exchange *x = park_open(p, e[i]);
        CHECK(!at[i] || at[i] == x, "step %d: moved", step);
        at[i] = x;
        CHECK(!memcmp(x, &copy[i], sizeof *x), "step %d: changed", step);
        assert_int_equal(x->searches, model[i]);
        write_some(x, &r, &model[i]);
        memcpy(&copy[i], x, sizeof *x);
        assert_ptr_equal(park_open(p, e[i]), x);
        assert_false(park_lost(e[i]));
    }
    for (size_t i = 0; i < MANY; i++)
        park_remove(p, e[i]);
    park_remove(p, NULL);
    park_free(p);
}

/* As many as there are places: each has its own. */
static void places(void **state)
{
    struct park *p = park_new();
    struct parked *e[PARK_PLACES];
    struct exchange *at[PARK_PLACES];
    (void)state;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < PARK_PLACES; i++) {
            e[i] = park_add(p);
            at[i] = park_open(p, e[i]);
            for (size_t j = 0; j < i; j++)
                assert_ptr_not_equal(at[i], at[j]);
        }
        for (size_t i = 0; i < PARK_PLACES; i++)
            park_remove(p, e[i * 7 % PARK_PLACES]);
    }
    park_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_a_model),
        cmocka_unit_test(places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
