/*
 * Every recorded exchange of the corpus through the exchange door, whole and in random
 * cuts, against what an independent oracle says of it.
 */
#include "testing.h"
#include "tests/golden/verdict.h"

/* As much of `s` as one piece holds: all of it, or a random few bytes. */
static struct slice piece(struct slice s, struct rng *cuts)
{
    if (!cuts)
        return s;
    uint64_t most = rng_below(cuts, 8) ? 40 : 3000;
    return slice_head(s, 1 + (size_t)rng_below(cuts, most));
}

static void feed(struct extract *x, struct slice s, struct rng *cuts,
                 void (*door)(struct extract *, struct slice))
{
    while (s.n) {
        struct slice p = piece(s, cuts);
        char *exact = malloc(p.n); /* what lies behind a piece is out of bounds */
        memcpy(exact, p.p, p.n);
        door(x, slice_of(exact, p.n));
        free(exact);
        s = slice_from(s, p.n);
    }
}

static void run(struct extract *x, const struct exchange_record *e, struct rng *cuts,
                struct verdicts *out)
{
    out->n = 0;
    extract_begin(x, e->scheme, e->host, e->port, e->method, e->path);
    extract_request_headers(x, e->request_header, e->request_headers);
    feed(x, e->request, cuts, extract_request_body);
    extract_response_head(x, e->status, e->response_header, e->response_headers);
    feed(x, e->response, cuts, extract_response_body);
    extract_finish(x, EXTRACT_COMPLETE, 0, verdicts_keep, out);
}

static void check_all(struct rng *cuts)
{
    struct corpus c;
    struct extract *x = extract_new();
    struct exchange_record e;
    struct verdicts got;
    char why[1024];
    size_t n = 0, wrong = 0;
    if (!corpus_open(&c)) {
        extract_free(x);
        skip();
    }
    for (; corpus_next(&c, &e); n++) {
        run(x, &e, cuts, &got);
        const char *differs =
            verdict_differs(&e.truth, &got, SKIP_NOTHING, why, sizeof why);
        if (!*differs && !slice_eq(e.truth.provider, slice_str(got.name[0][3])))
            differs = "provider";
        if (*differs) {
            wrong++;
            print_message("%.*s %.*s %.*s %.*s: %s\n", SLICE_FMT(e.id),
                          SLICE_FMT(e.truth.provider), SLICE_FMT(e.truth.surface),
                          SLICE_FMT(e.truth.framing), differs);
        }
    }
    corpus_close(&c);
    extract_free(x);
    print_message("%zu exchanges, %zu judged otherwise than the truth\n", n, wrong);
    assert_int_equal(wrong, 0);
}

static void whole(void **state)
{
    (void)state;
    check_all(NULL);
}

static void in_cuts(void **state)
{
    struct rng cuts = rng_open("cuts");
    (void)state;
    check_all(&cuts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(in_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
